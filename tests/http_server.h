/* SPDX-License-Identifier: GPL-3.0-or-later
 * A small HTTP/1.1 server on 127.0.0.1 that can misbehave. It runs in a child process, one connection at a time, a request
 * each. */
#ifndef BITSWEEP_TEST_HTTP_SERVER_H
#define BITSWEEP_TEST_HTTP_SERVER_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct http_manners {
    const char *folder;  /* what it serves; /moved/X redirects to /X */
    const char *tag;     /* the ETag of everything, with its quotes; NULL: none */
    size_t cut_after;    /* closes the connection after so many bytes of a body; 0: never */
    bool no_ranges;      /* always sends the whole file */
    bool wrong_ranges;   /* says that a rest begins at 0 */
};
struct http_server { pid_t process; char address[64]; char *log; /* of requests, a line each, malloced */ };

/* The log lies in the served folder's .log. */
struct http_server http_start(const struct http_manners *);
void http_stop(struct http_server *);
/* The requests so far: "GET /path range=TEXT if-range=TEXT\n" each, free() it. */
char *http_requests(const struct http_server *);
#endif
