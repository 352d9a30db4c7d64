/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sensors.h"
#include "users.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SPLIT_SEED 0

enum { TRAIN, TEST };

/* ---- parameters ------------------------------------------------------------------------------------------ */

static int by_length_and_text(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    size_t m = strlen(x), n = strlen(y);
    return m != n ? (m > n) - (m < n) : strcmp(x, y);
}

static bool is_code(const char *word)
{
    for (const char *c = word; *c; c++)
        if (!isalnum((unsigned char)*c))
            return false;
    return true;
}

static bool fail_list(const char *text, struct error *error)
{
    return fail(error, "'%s' is no list; valid: published, none, or up to %d numbers or letters like 7,28", text,
                MAX_SENSOR_USERS);
}

/* "28, 07" as "7,28": each once, numbers rising. */
static bool parse_list(const char *text, char **canonical, struct error *error)
{
    char *words[MAX_SENSOR_USERS], *copy = xstrdup(text), *rest = copy, *word, *joined = NULL;
    size_t count = 0;
    bool ok = false;
    while ((word = strsep(&rest, ", ")) != NULL) {
        if (!*word)
            continue;
        if (count == MAX_SENSOR_USERS || !is_code(word)) {
            fail_list(text, error);
            goto out;
        }
        while (word[0] == '0' && word[1])
            word++;
        words[count++] = word;
    }
    if (count == 0) {
        fail_list(text, error);
        goto out;
    }
    qsort(words, count, sizeof *words, by_length_and_text);
    joined = xstrdup(words[0]);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(words[i], words[i - 1]) == 0)
            continue;
        char *longer = format_text("%s,%s", joined, words[i]);
        free(joined);
        joined = longer;
    }
    *canonical = joined;
    ok = true;
out:
    free(copy);
    return ok;
}

const struct param param_drop_classes = {.name = "drop_classes", .type = PARAM_TEXT, .parse = parse_list,
    .fallback = "published", .form = "published, none, or a list of labels like 8 or A,C",
    .source = "pub", .help = "Classes left out, as the set's files number them; published: of hapt 8, of pamap2 24, else "
                             "none."};
const struct param param_drop_users = {.name = "drop_users", .type = PARAM_TEXT, .parse = parse_list,
    .fallback = "published", .form = "published, none, or a list of users like 7,28",
    .source = "pub", .help = "Users left out; published: of hapt 7 and 28, of pamap2 3, 4 and 9, else none."};

const struct param param_har_split = {.name = "har_split", .type = PARAM_CHOICE, .fallback = "official",
    .choices = (const char *const[]){"official", "users", NULL}, .source = "ours",
    .help = "Test part: the nine users of the official one, or test_split of all users. An incremental run that draws its "
            "test users by the seed (test_users) draws from all users either way."};

/* Safe to ask while the settings are being read: har_split stands before. */
static bool uses_test_split(const struct settings *s)
{
    return !setting_has(s, "har_split") || setting_is(s, "har_split", "users") || draws_test_users(s);
}

const struct param param_sensor_test_split = TEST_SPLIT(uses_test_split);

/* ---- what is left out -------------------------------------------------------------------------------------- */

/* Codes of all classes: "1 2 3". */
static char *class_codes(const struct sensor_set *set)
{
    char *codes = xstrdup("");
    for (size_t c = 0; c < set->class_count; c++) {
        char *longer = format_text("%s%s%s", codes, c ? " " : "", set->classes[c].code);
        free(codes);
        codes = longer;
    }
    return codes;
}

bool sensor_class_find(const struct sensor_set *set, const char *code, const struct text *text, size_t *index,
                       struct error *error)
{
    for (size_t c = 0; c < set->class_count; c++)
        if (strcmp(set->classes[c].code, code) == 0) {
            *index = c;
            return true;
        }
    char *codes = class_codes(set);
    if (text)
        text_fail(text, error, "the label is %s; valid: %s", code, codes);
    else
        fail(error, "%s is no label; valid: %s", code, codes);
    free(codes);
    return false;
}

static bool drop_class(struct sensor_reading *reading, const char *code, struct error *error)
{
    struct error problem;
    size_t index;
    if (!sensor_class_find(reading->set, code, NULL, &index, &problem))
        return fail(error, "drop_classes: %s", problem.text);
    reading->drops_class[index] = true;
    return true;
}

static bool drop_user(struct sensor_reading *reading, const char *code, struct error *error)
{
    const struct sensor_set *set = reading->set;
    char *end;
    long user = strtol(code, &end, 10);
    if (*end || user < set->first_user || user > set->last_user)
        return fail(error, "drop_users: there is no user %s; valid: %d to %d", code, set->first_user, set->last_user);
    reading->drops_user[user - set->first_user] = true;
    return true;
}

/* Calls `drop` for each word of the setting. */
static bool read_list(struct sensor_reading *reading, const char *key, const char *published,
                      bool (*drop)(struct sensor_reading *, const char *, struct error *), struct error *error)
{
    const char *value = setting_text(reading->settings, key);
    if (strcmp(value, "published") == 0)
        value = published;
    if (strcmp(value, "none") == 0)
        return true;
    char *copy = xstrdup(value), *rest = copy, *word;
    bool ok = true;
    while (ok && (word = strsep(&rest, ",")) != NULL)
        ok = drop(reading, word, error);
    free(copy);
    return ok;
}

static size_t kept_classes(const struct sensor_reading *reading)
{
    size_t kept = 0;
    for (size_t c = 0; c < reading->set->class_count; c++)
        kept += sensor_keeps_class(reading, c);
    return kept;
}

static bool read_lists(struct sensor_reading *reading, struct error *error)
{
    const struct sensor_set *set = reading->set;
    return read_list(reading, "drop_classes", set->dropped_classes, drop_class, error) &&
           read_list(reading, "drop_users", set->dropped_users, drop_user, error) &&
           (kept_classes(reading) >= 2 ||
            fail(error, "drop_classes leaves %zu classes; at least two are needed", kept_classes(reading)));
}

bool sensor_keeps_class(const struct sensor_reading *reading, size_t index) { return !reading->drops_class[index]; }

bool sensor_keeps_user(const struct sensor_reading *reading, int user)
{
    return !reading->drops_user[user - reading->set->first_user];
}

/* ---- files, notes, samples ---------------------------------------------------------------------------------- */

bool sensor_file_exists(const struct sensor_reading *reading, const char *name)
{
    char *path = format_text("%s/%s", reading->folder, name);
    bool exists = access(path, F_OK) == 0;
    free(path);
    return exists;
}

bool sensor_file_open(struct sensor_reading *reading, const char *name, char separator, size_t columns,
                      struct sensor_file *file, struct error *error)
{
    *file = (struct sensor_file){.path = format_text("%s/%s", reading->folder, name)};
    if (!bytes_read(file->path, &file->content, error))
        return false;
    SHA256Update(&reading->checksum, file->content.data, file->content.size);
    text_begin(&file->text, file->path, &file->content, separator, columns);
    return true;
}

void sensor_file_close(struct sensor_file *file)
{
    bytes_free(&file->content);
    free(file->path);
}

void sensor_note(struct sensor_reading *reading, const char *format, ...)
{
    va_list args;
    char *line, *longer;
    va_start(args, format);
    if (vasprintf(&line, format, args) < 0)
        die("no memory for a note");
    va_end(args);
    longer = format_text("%s%s\n", reading->notes, line);
    free(reading->notes);
    free(line);
    reading->notes = longer;
}

static void make_room(struct sensor_reading *reading, int which)
{
    struct part *part = &reading->part[which];
    size_t room = reading->room[which] = reading->room[which] ? 2 * reading->room[which] : 1024;
    part->y = xrealloc(part->y, room * sizeof *part->y);
    part->user = xrealloc(part->user, room * sizeof *part->user);
    if (reading->samples)
        part->x = xrealloc(part->x, room * reading->features * sizeof *part->x);
}

float *sensor_add(struct sensor_reading *reading, size_t class_index, int user, bool test)
{
    int which = test && reading->official ? TEST : TRAIN;
    struct part *part = &reading->part[which];
    if (part->count == reading->room[which])
        make_room(reading, which);
    part->y[part->count] = 0;
    for (size_t c = 0; c < class_index; c++)
        part->y[part->count] += sensor_keeps_class(reading, c);
    part->user[part->count] = user;
    return reading->samples ? part->x + part->count++ * reading->features : (part->count++, NULL);
}

/* ---- windows --------------------------------------------------------------------------------------------------- */

void sensor_windows_begin(struct sensor_windows *w, const struct sensor_reading *reading, size_t sensors, double rate)
{
    const struct settings *settings = reading->settings;
    *w = (struct sensor_windows){.window = (size_t)setting_int(settings, "window"),
                                 .step = (size_t)setting_int(settings, "window_step"), .sensors = sensors,
                                 .axes = setting_is(settings, "sensor_features", "axes")};
    w->tables = reading->samples ? signal_tables_make(w->window, rate) : NULL;
}

void sensor_windows_end(struct sensor_windows *w) { signal_tables_free(w->tables); }

void sensor_windows_add(const struct sensor_windows *w, struct sensor_reading *reading, const double *rows, size_t count,
                        size_t class_index, int user, bool test)
{
    for (size_t start = 0; start + w->window <= count; start += w->step) {
        float *out = sensor_add(reading, class_index, user, test);
        if (out)
            sensor_features(w->tables, rows + start * 3 * w->sensors, w->sensors, w->axes, out);
    }
}

/* ---- the division, and the whole set ----------------------------------------------------------------------------- */

/* Appends a sample to a part, which may be the one that it comes from: it is never longer than what is read of that. */
static void move_sample(struct part *to, const struct part *from, size_t i, size_t features)
{
    if (from->x)
        memmove(to->x + to->count * features, from->x + i * features, features * sizeof *to->x);
    to->y[to->count] = from->y[i];
    to->user[to->count++] = from->user[i];
}

/* The samples of these users become the test part. */
static void move_users(struct sensor_reading *reading, const int64_t *testing, size_t testing_count)
{
    struct part *train = &reading->part[TRAIN], *test = &reading->part[TEST], all = *train;
    size_t moved = 0;
    for (size_t i = 0; i < all.count; i++)
        moved += is_among(testing, testing_count, all.user[i]);
    *test = (struct part){.x = all.x ? xmalloc(moved * reading->features * sizeof *all.x) : NULL,
                          .y = xmalloc(moved * sizeof *all.y), .user = xmalloc(moved * sizeof *all.user)};
    train->count = 0;
    for (size_t i = 0; i < all.count; i++)
        move_sample(is_among(testing, testing_count, all.user[i]) ? test : train, &all, i, reading->features);
}

/* The distinct users of a part; returns their number. */
static size_t users_of(const struct part *part, int64_t **users)
{
    int64_t *all = xmalloc((part->count + 1) * sizeof *all);
    for (size_t i = 0; i < part->count; i++)
        all[i] = part->user[i];
    size_t count = distinct_values(all, part->count, users);
    free(all);
    return count;
}

static bool divide(struct sensor_reading *reading, struct error *error)
{
    int64_t *users, *testing = NULL;
    size_t count = users_of(&reading->part[TRAIN], &users), testing_count;
    bool ok = false;
    if (count < 2) {
        fail(error, "%s holds samples of one user only, so no whole user can be kept for testing", reading->folder);
        goto out;
    }
    testing_count = choose_test_users(users, count, setting_real(reading->settings, "test_split"), SPLIT_SEED, &testing);
    move_users(reading, testing, testing_count);
    ok = true;
out:
    free(testing);
    free(users);
    return ok;
}

static bool check_parts(struct sensor_reading *reading, struct error *error)
{
    const struct part *train = &reading->part[TRAIN], *test = &reading->part[TEST];
    if (train->count + test->count == 0)
        return fail(error, "%s holds no samples of the classes and users that are kept", reading->folder);
    if (!reading->official)
        return divide(reading, error);
    return (train->count && test->count) ||
           fail(error, "the official %s part holds no samples of the classes and users that are kept; har_split: users is "
                "valid", train->count ? "test" : "training");
}

/* A feature can pass float32's range where the values do not. */
static bool check_finite(const struct sensor_reading *reading, struct error *error)
{
    for (int p = TRAIN; p <= TEST; p++) {
        const struct part *part = &reading->part[p];
        for (size_t i = 0; part->x && i < part->count * reading->features; i++)
            if (!isfinite(part->x[i]))
                return fail(error, "feature %zu of a sample of user %d is not finite: the values in the files are too large",
                            i % reading->features, (int)part->user[i / reading->features]);
    }
    return true;
}

static void note_classes(struct sensor_reading *reading)
{
    const struct sensor_set *set = reading->set;
    char *codes = xstrdup(""), *names = xstrdup(""), *longer;
    for (size_t c = 0; c < set->class_count; c++) {
        if (!sensor_keeps_class(reading, c))
            continue;
        longer = format_text("%s%s%s", codes, *codes ? " " : "", set->classes[c].code);
        free(codes);
        codes = longer;
        longer = format_text("%s%s%s", names, *names ? ", " : "", set->classes[c].name);
        free(names);
        names = longer;
    }
    sensor_note(reading, "labels=%s", codes);
    sensor_note(reading, "class_names=%s", names);
    free(codes);
    free(names);
}

static void note_test_users(struct sensor_reading *reading)
{
    int64_t *users;
    size_t count = users_of(&reading->part[TEST], &users);
    char *list = value_list(users, count);
    sensor_note(reading, "test_part=%susers %s", reading->official ? "official, " : "", list);
    free(list);
    free(users);
}

/* Gives the parts and what is known about them to the data set. */
static void hand_over(struct sensor_reading *reading, struct dataset *dataset)
{
    note_classes(reading);
    note_test_users(reading);
    dataset->features = dataset->shape[0] = reading->features;
    dataset->classes = (int)kept_classes(reading);
    dataset->attributes = format_text("path=%s\n%s", reading->folder, reading->notes);
    SHA256End(&reading->checksum, dataset->sha256);
    dataset->train = reading->part[TRAIN];
    dataset->test = reading->part[TEST];
    memset(reading->part, 0, sizeof reading->part);
    if (reading->samples)
        return;
    struct part *parts[] = {&dataset->train, &dataset->test};
    for (size_t p = 0; p < 2; p++) {
        free(parts[p]->y);
        free(parts[p]->user);
        *parts[p] = (struct part){.count = parts[p]->count};
    }
}

static void close_reading(struct sensor_reading *reading)
{
    for (int p = TRAIN; p <= TEST; p++) {
        free(reading->part[p].x);
        free(reading->part[p].y);
        free(reading->part[p].user);
    }
    free(reading->folder);
    free(reading->notes);
}

bool sensor_set_read(const struct sensor_set *set, const struct settings *settings, bool samples, struct dataset *dataset,
                     struct error *error)
{
    struct sensor_reading reading = {.set = set, .settings = settings, .samples = samples, .notes = xstrdup("")};
    reading.official = setting_has(settings, "har_split") && setting_is(settings, "har_split", "official");
    *dataset = (struct dataset){.rank = 1};
    snprintf(dataset->name, sizeof dataset->name, "%s", set->name);
    SHA256Init(&reading.checksum);
    bool valid = read_lists(&reading, error);
    bool readable = valid && (reading.folder = dataset_find_folder(set->folders, error)) != NULL &&
                    set->read(&reading, error) && check_finite(&reading, error);
    bool ok = readable && check_parts(&reading, error);
    if (ok)
        hand_over(&reading, dataset);
    close_reading(&reading);
    /* Other files help only where these are at fault, not the settings. */
    return ok || dataset_fail(dataset, set->name, valid && !readable ? set->get : NULL, error);
}
