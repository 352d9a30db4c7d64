/* SPDX-License-Identifier: GPL-3.0-or-later
 * Published feature vectors in three text files a part: features, labels and users, a line a sample. */
#ifndef BITSWEEP_FEATURE_FILES_H
#define BITSWEEP_FEATURE_FILES_H
#include "sensors.h"

/* Below the set's folder. */
struct feature_files { const char *features, *labels, *users; };

/* Both parts, training first; the labels are 1 .. the number of classes. The checksum takes each part's labels, users and
 * features. */
bool feature_files_read(struct sensor_reading *, const struct feature_files parts[2], size_t features, struct error *);
#endif
