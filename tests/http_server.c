/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http_server.h"
#include "support.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_HEAD 8192

/* A request's head up to the empty line. */
static bool read_head(int client, char head[MOST_HEAD])
{
    size_t size = 0;
    while (size + 1 < MOST_HEAD) {
        ssize_t got = read(client, head + size, MOST_HEAD - 1 - size);
        if (got <= 0)
            return false;
        size += (size_t)got;
        head[size] = '\0';
        if (strstr(head, "\r\n\r\n"))
            return true;
    }
    return false;
}

static void copy_header(const char *head, const char *name, char value[256])
{
    const char *at = strstr(head, name);
    size_t length = at ? strcspn(at + strlen(name), "\r") : 0;
    snprintf(value, 256, "%.*s", (int)length, at ? at + strlen(name) : "");
}

static void send_all(int client, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(client, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        bytes += sent;
        size -= (size_t)sent;
    }
}

static void send_status(int client, const char *status, const char *more)
{
    char *text = format_text("HTTP/1.1 %s\r\n%sContent-Length: 0\r\nConnection: close\r\n\r\n", status, more);
    send_all(client, text, strlen(text));
    free(text);
}

static void send_file(int client, const struct http_manners *manners, const char *path, const char *range, const char *same)
{
    size_t size, from = 0;
    char *bytes = read_bytes(path, &size);
    char *tag = manners->tag ? format_text("ETag: %s\r\n", manners->tag) : xstrdup("");
    char *rest = xstrdup("");
    if (!manners->no_ranges && sscanf(range, "bytes=%zu-", &from) == 1 && (!*same || strcmp(same, manners->tag) == 0)) {
        free(rest);
        rest = format_text("Content-Range: bytes %zu-%zu/%zu\r\n", manners->wrong_ranges ? 0 : from, size - 1, size);
    } else {
        from = 0;
    }
    if (from > 0 && from >= size) {
        send_status(client, "416 Range Not Satisfiable", tag);
    } else {
        char *head = format_text("HTTP/1.1 %s\r\n%s%sContent-Length: %zu\r\nConnection: close\r\n\r\n",
                                 *rest ? "206 Partial Content" : "200 OK", tag, rest, size - from);
        size_t count = manners->cut_after && manners->cut_after < size - from ? manners->cut_after : size - from;
        send_all(client, head, strlen(head));
        send_all(client, bytes + from, count);
        free(head);
    }
    free(bytes);
    free(tag);
    free(rest);
}

static void answer(int client, const struct http_manners *manners, const char *log)
{
    char head[MOST_HEAD], range[256], same[256], path[1024];
    if (!read_head(client, head) || sscanf(head, "GET %1023s", path) != 1)
        return;
    copy_header(head, "\r\nRange: ", range);
    copy_header(head, "\r\nIf-Range: ", same);
    FILE *file = fopen(log, "a");
    fprintf(file, "GET %s range=%s if-range=%s\n", path, range, same);
    fclose(file);
    char *full = format_text("%s%s", manners->folder, path);
    if (strncmp(path, "/moved/", strlen("/moved/")) == 0) {
        char *place = format_text("Location: %s\r\n", path + strlen("/moved"));
        send_status(client, "302 Found", place);
        free(place);
    } else if (access(full, R_OK) == 0) {
        send_file(client, manners, full, range, same);
    } else {
        send_status(client, "404 Not Found", "");
    }
    free(full);
}

static _Noreturn void serve(int listener, const struct http_manners *manners, const char *log)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails does not stop it */
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client < 0)
            _exit(1);
        answer(client, manners, log);
        close(client);
    }
}

struct http_server http_start(const struct http_manners *manners)
{
    struct http_server server = {.log = format_text("%s/.log", manners->folder)};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 8) == 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    snprintf(server.address, sizeof server.address, "http://127.0.0.1:%d", ntohs(address.sin_port));
    setenv("no_proxy", "127.0.0.1", 1);
    unlink(server.log);
    fflush(NULL);
    server.process = fork();
    cr_assert(server.process >= 0);
    if (server.process == 0)
        serve(listener, manners, server.log);
    close(listener);
    return server;
}

void http_stop(struct http_server *server)
{
    kill(server->process, SIGKILL);
    waitpid(server->process, NULL, 0);
    free(server->log);
}

char *http_requests(const struct http_server *server)
{
    size_t size;
    return read_bytes(server->log, &size);
}
