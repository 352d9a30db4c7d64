/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conformance.h"
#include "conformance_checks.h"
#include "conformance_watch.h"
#include "names.h"
#include "rules.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE 300 /* seconds for one check; an allocator that takes longer hangs [ours] */
#define MAX_CHOICES 48

const char *const verdict_names[VERDICTS] = {
    [VERDICT_PASS] = "pass", [VERDICT_FAIL] = "fail", [VERDICT_NONE] = "not applicable"};

/* Real float operands, and integers. */
static const char *const modes[] = {"fp", "fqt"};
enum { MODES = sizeof modes / sizeof *modes };

/* ---- settings ---- */

struct choices { struct choice items[MAX_CHOICES]; size_t count; char *texts[8]; size_t text_count; };

static void add_choice(struct choices *choices, struct choice choice)
{
    if (choices->count == MAX_CHOICES)
        die("more than %d settings", MAX_CHOICES);
    choices->items[choices->count++] = choice;
}

/* Adds "key=value key=value"; the first of several choices of one key counts. */
static void add_text(struct choices *choices, const char *text)
{
    char *rest = choices->texts[choices->text_count++] = xstrdup(text);
    for (char *word; (word = strsep(&rest, " "));) {
        char *value = strchr(word, '=');
        if (!value)
            die("no key=value in '%s'", text);
        *value++ = '\0';
        add_choice(choices, (struct choice){.key = word, .text = value});
    }
}

static void choices_free(struct choices *choices)
{
    while (choices->text_count)
        free(choices->texts[--choices->text_count]);
}

/* What the run of a scenario reads. False: the error says why it cannot be. */
static bool resolve(const struct alloc_ops *ops, const char *mode, const char *scenario, const struct choice *given,
                    size_t count, struct settings *settings, struct error *error)
{
    struct choices choices = {0};
    const struct choice *wrong;
    add_choice(&choices, (struct choice){.key = "allocator", .text = ops->plug.name});
    add_choice(&choices, (struct choice){.key = "mode", .text = mode});
    add_text(&choices, scenario);
    for (size_t i = 0; i < count; i++)
        add_choice(&choices, given[i]);
    add_text(&choices, conformance_defaults);
    bool good = settings_resolve(choices.items, choices.count, settings, &wrong, error);
    choices_free(&choices);
    return good;
}

static bool is_own_key(const char *key)
{
    for (size_t i = 0; conformance_keys[i]; i++)
        if (strcmp(conformance_keys[i], key) == 0)
            return true;
    return false;
}

static char *unread_fault(const struct alloc_ops *ops, const char *key)
{
    struct names names = {0};
    names_of_params(&names);
    char *suggestion = known_param(key) ? xstrdup("") : names_suggestion(&names, key);
    char *fault = format_text("runs with allocator %s do not read the key '%s'%s", ops->plug.name, key, suggestion);
    free(suggestion);
    names_free(&names);
    return fault;
}

char *conformance_fault(const struct alloc_ops *ops, const struct choice *given, size_t count)
{
    struct settings settings[MODES];
    struct error error;
    char *fault = NULL;
    size_t resolved = 0;
    for (size_t i = 0; !fault && i < count; i++)
        if (is_own_key(given[i].key))
            fault = format_text("the checks set %s themselves", given[i].key);
    for (; !fault && resolved < MODES; resolved++)
        if (!resolve(ops, modes[resolved], "budget=3.5", given, count, &settings[resolved], &error))
            fault = xstrdup(error.text);
    for (size_t i = 0; !fault && i < count; i++)
        if (!setting_has(&settings[0], given[i].key) && !setting_has(&settings[1], given[i].key))
            fault = unread_fault(ops, given[i].key);
    if (fault && resolved && resolved < MODES)
        resolved--; /* the last one failed */
    for (size_t i = 0; i < resolved; i++)
        settings_free(&settings[i]);
    return fault;
}

/* ---- one check ---- */

/* NULL or why the settings cannot run, as the plan finds it. */
static char *run_fault(const struct check *check, const struct settings *settings)
{
    struct dataset described = {0};
    struct error error = {""};
    const struct dataset_ops *dataset = setting_plug(settings, "dataset");
    const char *why = plug_check(settings);
    if (why || check->unchecked)
        return why ? xstrdup(why) : NULL;
    if (!dataset->describe(settings, &described, &error))
        return xstrdup(error.text);
    why = model_check(settings, &described);
    bool good = !why && pin_check(settings, &described, &error) && limits_check(settings, &described, &error)
                && tie_check(settings, &described, &error) && budget_check(settings, &described, &error);
    dataset_free(&described);
    return good ? NULL : xstrdup(why ? why : error.text);
}

/* Why a scenario cannot be tried; what a judge has said of another one is worth more. */
static enum verdict set_aside(struct tally *tally, const char *why)
{
    if (!tally->judged)
        snprintf(tally->text, sizeof tally->text, "%s", why);
    return VERDICT_NONE;
}

static enum verdict try_scenario(const struct check *check, const struct trial *trial, struct tally *tally)
{
    if (check->needs && !setting_has(&trial->settings, check->needs)) {
        char *why = format_text("it does not read %s", check->needs);
        set_aside(tally, why);
        free(why);
        return VERDICT_NONE;
    }
    char *fault = run_fault(check, &trial->settings);
    enum verdict verdict = fault ? set_aside(tally, fault) : check->judge(trial, tally);
    tally->judged |= !fault;
    free(fault);
    return verdict;
}

/* All scenarios in all modes up to the first failure; it applies if it does in one of them. */
static void run_check(const struct check *check, const struct alloc_ops *ops, const struct choice *given, size_t count,
                      struct finding *finding)
{
    struct tally tally = {0};
    finding->verdict = VERDICT_NONE;
    for (size_t i = 0; check->scenarios[i]; i++)
        for (size_t m = 0; m < MODES && finding->verdict != VERDICT_FAIL; m++) {
            struct trial trial = {.ops = ops};
            struct error error;
            if (!resolve(ops, modes[m], check->scenarios[i], given, count, &trial.settings, &error)) {
                set_aside(&tally, error.text);
                continue;
            }
            int length = snprintf(finding->text, sizeof finding->text, "mode %s, %s: ", modes[m], check->scenarios[i]);
            enum verdict verdict = try_scenario(check, &trial, &tally); /* may end the process; the text then tells where */
            if (verdict == VERDICT_FAIL)
                snprintf(finding->text + length, sizeof finding->text - (size_t)length, "%s", tally.text);
            if (verdict != VERDICT_NONE)
                finding->verdict = verdict;
            settings_free(&trial.settings);
        }
    if (finding->verdict == VERDICT_NONE)
        snprintf(finding->text, sizeof finding->text, "%s", tally.text);
    else if (finding->verdict == VERDICT_PASS && !tally.runs)
        finding->text[0] = '\0';
    else if (finding->verdict == VERDICT_PASS && check->figure)
        snprintf(finding->text, sizeof finding->text, "%d runs, %d decisions, %s %.4g %s", tally.runs, tally.decisions,
                 check->figure, tally.largest, check->unit);
    else if (finding->verdict == VERDICT_PASS)
        snprintf(finding->text, sizeof finding->text, "%d runs, %d decisions", tally.runs, tally.decisions);
}

/* ---- each in a process of its own ---- */

/* The last line that the process wrote, without what all messages begin with. */
static void last_words(FILE *log, char *line, size_t size)
{
    char next[400];
    line[0] = '\0';
    rewind(log);
    while (fgets(next, sizeof next, log)) {
        next[strcspn(next, "\n")] = '\0';
        if (next[0])
            snprintf(line, size, "%s", next);
    }
}

/* Behind what the finding's text says of the run. */
static void describe_end(struct finding *finding, int status, FILE *log)
{
    char line[400];
    size_t length = strlen(finding->text), room = sizeof finding->text - length;
    char *text = finding->text + length;
    last_words(log, line, sizeof line);
    finding->verdict = VERDICT_FAIL;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        snprintf(text, room, "not finished after %d s", PATIENCE);
    else if (WIFSIGNALED(status))
        snprintf(text, room, "ended by signal %d (%s) %s", WTERMSIG(status), strsignal(WTERMSIG(status)), line);
    else
        snprintf(text, room, "ended with exit code %d: %s", WEXITSTATUS(status), line);
}

static void run_apart(const struct check *check, const struct alloc_ops *ops, const struct choice *given, size_t count,
                      struct finding *shared)
{
    FILE *log = tmpfile();
    if (!log)
        die("cannot make a temporary file");
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        die("cannot start a process");
    if (child == 0) {
        dup2(fileno(log), STDERR_FILENO);
        dup2(fileno(log), STDOUT_FILENO);
        alarm(PATIENCE);
        watch_install(ops);
        run_check(check, ops, given, count, shared);
        fflush(NULL);
        _exit(0);
    }
    int status;
    while (waitpid(child, &status, 0) < 0)
        ;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        describe_end(shared, status, log);
    fclose(log);
}

size_t conformance_test(const struct alloc_ops *ops, const struct choice *given, size_t count, struct finding *out)
{
    struct finding *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        die("out of memory");
    for (size_t i = 0; i < conformance_check_count; i++) {
        const struct check *check = &conformance_checks[i];
        *shared = (struct finding){.check = check->name, .promise = check->promise, .verdict = VERDICT_NONE};
        if (ops->begin)
            run_apart(check, ops, given, count, shared);
        else
            snprintf(shared->text, sizeof shared->text, "it gives no widths");
        out[i] = *shared;
    }
    munmap(shared, sizeof *shared);
    return conformance_check_count;
}
