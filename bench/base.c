/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bitsweep.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool fail(struct error *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return false;
}

void die_at(const char *file, int line, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "bitsweep: ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, " (%s:%d)\n", file, line);
    exit(1);
}

static void *need(void *memory, size_t size)
{
    if (memory || size == 0)
        return memory;
    fprintf(stderr, "bitsweep: out of memory: %zu bytes asked for\n", size);
    exit(EXIT_MEMORY);
}

void *xmalloc(size_t size) { return need(malloc(size), size); }

void *xcalloc(size_t count, size_t size) { return need(calloc(count, size), count * size); }

void *xrealloc(void *old, size_t size) { return need(realloc(old, size), size); }

char *xstrdup(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(xmalloc(size), text, size);
}

char *format_text(const char *format, ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        need(NULL, 1);
    va_end(args);
    return text;
}
