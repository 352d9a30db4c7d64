/* SPDX-License-Identifier: GPL-3.0-or-later
 * gnuplot as a child process. It is given the script as a file, because on standard input it would go on
 * after an error, and writes to a temporary name, so that a figure is never half there. */
#include "plots.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXEC_FAILED 127

const char *const figure_format_names[FIGURE_FORMATS] = {"pdf", "png", "svg"};

static char *temporary_name(const char *path) { return format_text("%s.tmp.%ld", path, (long)getpid()); }

static bool write_script(const char *path, const char *script, struct error *error)
{
    char *temporary = temporary_name(path);
    FILE *file = fopen(temporary, "w");
    bool ok = file && fputs(script, file) >= 0;
    if (file)
        ok = fclose(file) == 0 && ok;
    ok = ok && rename(temporary, path) == 0;
    if (!ok) {
        fail(error, "cannot write %s: %s", path, strerror(errno));
        remove(temporary);
    }
    free(temporary);
    return ok;
}

/* The child; what gnuplot says goes to the pipe. -d: nobody's ~/.gnuplot changes the figures. */
static _Noreturn void exec_gnuplot(const char *script, const char *format, const char *target, int said)
{
    int nothing = open("/dev/null", O_RDWR);
    dup2(nothing, STDIN_FILENO);
    dup2(nothing, STDOUT_FILENO);
    dup2(said, STDERR_FILENO);
    execlp("gnuplot", "gnuplot", "-d", "-c", script, format, target, (char *)NULL);
    _exit(EXEC_FAILED);
}

/* Runs gnuplot; returns its exit code, EXEC_FAILED when there is none, -1 when it was killed or could not be
 * started. The first line with words of what it said on standard error goes to `said`. */
static int run_gnuplot(const char *script, const char *format, const char *target, char *said, size_t size)
{
    int ends[2], status;
    said[0] = '\0';
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    pid_t child = fork();
    if (child == 0)
        exec_gnuplot(script, format, target, ends[1]);
    close(ends[1]);
    FILE *from = fdopen(ends[0], "r");
    char line[512];
    while (from && fgets(line, sizeof line, from))
        if (said[0] == '\0' && strspn(line, " \t\n^") < strlen(line))
            snprintf(said, size, "%.*s", (int)strcspn(line, "\n"), line);
    if (from)
        fclose(from);
    if (child < 0 || waitpid(child, &status, 0) != child)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool render(const struct output *output, const char *script, const char *name, const char *format,
                   struct error *error)
{
    char said[512], *path = format_text("%s/%s.%s", output->folder, name, format),
                    *temporary = temporary_name(path);
    int code = run_gnuplot(script, format, temporary, said, sizeof said);
    bool ok = false;
    if (code == EXEC_FAILED)
        fail(error, "gnuplot cannot be started, so %s is not drawn (Debian: gnuplot-nox); its script is %s",
             path, script);
    else if (code != 0)
        fail(error, "gnuplot failed on %s: %s", script, said[0] ? said : "it was killed");
    else if (access(temporary, F_OK) != 0)
        fail(error, "gnuplot drew nothing for %s: %s", script, said[0] ? said : "and says nothing");
    else if (rename(temporary, path) != 0)
        fail(error, "cannot write %s: %s", path, strerror(errno));
    else
        ok = true;
    if (ok)
        fprintf(output->paths, "%s\n", path);
    else
        remove(temporary);
    free(temporary);
    free(path);
    return ok;
}

bool output_script(const struct output *output, const char *name, const char *script, struct error *error)
{
    char *path = format_text("%s/%s.gp", output->folder, name);
    bool ok = write_script(path, script, error);
    if (ok)
        fprintf(output->paths, "%s\n", path);
    for (int f = 0; f < FIGURE_FORMATS && ok; f++)
        if (output->formats[f])
            ok = render(output, path, name, figure_format_names[f], error);
    free(path);
    return ok;
}
