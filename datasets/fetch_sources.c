/* SPDX-License-Identifier: GPL-3.0-or-later
 * The providers' addresses of the data sets, and the checksums that they publish: those of CIFAR stand on its page, those of
 * Fashion-MNIST in its repository's README. The UCI archive and the page of MNIST publish none. */
#include "fetch.h"
#include <string.h>

#define UCI "https://archive.ics.uci.edu/static/public/"
#define CIFAR "https://www.cs.toronto.edu/~kriz/"

const struct source sources[] = {
    {.name = "cifar10", .address = CIFAR, .archive = true,
     .files = {{"cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"}},
     .folder = "cifar-10-batches-bin", .mark = "test_batch.bin"},
    {.name = "cifar100", .address = CIFAR, .archive = true,
     .files = {{"cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"}},
     .folder = "cifar-100-binary", .mark = "test.bin"},
    {.name = "mnist", .address = "http://yann.lecun.com/exdb/mnist/",
     .files = {{"train-images-idx3-ubyte.gz", NULL},
               {"train-labels-idx1-ubyte.gz", NULL},
               {"t10k-images-idx3-ubyte.gz", NULL},
               {"t10k-labels-idx1-ubyte.gz", NULL}},
     .folder = "mnist", .mark = "train-images-idx3-ubyte.gz",
     .note = "the provider has refused downloads (403) since 2024; a copy of the files is at "
             "https://storage.googleapis.com/cvdf-datasets/mnist, to be given with --mirror"},
    {.name = "fashion-mnist", .address = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
     .files = {{"train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"},
               {"train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"},
               {"t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"},
               {"t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"}},
     .folder = "fashion-mnist", .mark = "train-images-idx3-ubyte.gz",
     .note = "Debian has it as a package: apt-get install dataset-fashion-mnist"},
    {.name = "dsads", .address = UCI "256/", .archive = true,
     .files = {{"daily+and+sports+activities.zip", NULL}},
     .folder = "dsads", .mark = "data/a01/p1/s01.txt"},
    {.name = "hapt", .address = UCI "341/", .archive = true,
     .files = {{"smartphone+based+recognition+of+human+activities+and+postural+transitions.zip", NULL}},
     .folder = "hapt", .mark = "RawData/labels.txt"},
    {.name = "uci-har", .address = UCI "240/", .archive = true,
     .files = {{"human+activity+recognition+using+smartphones.zip", NULL}},
     .folder = "UCI HAR Dataset", .mark = "train/X_train.txt"},
    {.name = "pamap2", .address = UCI "231/", .archive = true,
     .files = {{"pamap2+physical+activity+monitoring.zip", NULL}},
     .folder = "PAMAP2_Dataset", .mark = "Protocol/subject101.dat"},
    {.name = "wisdm", .address = UCI "507/", .archive = true,
     .files = {{"wisdm+smartphone+and+smartwatch+activity+and+biometrics+dataset.zip", NULL}},
     .folder = "wisdm-dataset", .mark = "arff_files/phone/accel"},
    {.name = NULL},
};

const struct source *source_find(const char *name)
{
    for (const struct source *source = sources; source->name; source++)
        if (strcmp(source->name, name) == 0)
            return source;
    return NULL;
}
