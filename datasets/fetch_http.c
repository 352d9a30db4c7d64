/* SPDX-License-Identifier: GPL-3.0-or-later
 * One file by HTTP through libcurl, to be continued after an interruption. A part is continued with Range and If-Range
 * (RFC 9110, 13.1.5 and 14.2): the server sends the rest if its file is still the same, else the whole. */
#include "datasets.h"
#include "fetch.h"
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CONNECT_SECONDS 30L
#define STALL_SECONDS 60L /* without a byte */
#define MOST_REDIRECTS 10L
#define REDRAW_SECONDS 0.25
#define HTTP_OK 200L
#define HTTP_PARTIAL 206L
#define HTTP_NOT_SATISFIABLE 416L

struct transfer {
    const char *label, *address;
    char *part, *origin;   /* PATH.part, PATH.part.origin */
    char *validator;       /* of the part on disk; "" if the server gave none */
    curl_off_t offset;     /* where this answer's body begins in the file */
    int file;
    CURL *curl;
    bool begun;            /* the answer's body */
    bool failed;           /* on this side: error says how */
    bool terminal, drawn;
    double drawn_at;
    struct error *error;
    char reason[CURL_ERROR_SIZE];
};

/* ---- the part on disk: its address and validator are two lines of PATH.part.origin ---- */

/* The validator of a part of this address, malloced; "" if it cannot be continued. */
static char *read_validator(const char *origin, const char *address)
{
    struct bytes content;
    struct error error;
    char *validator = NULL;
    if (bytes_read(origin, &content, &error)) {
        content.data[content.size] = '\0'; /* bytes_read leaves room */
        char *rest = (char *)content.data, *line = strsep(&rest, "\n");
        if (rest && strcmp(line, address) == 0)
            validator = xstrdup(strsep(&rest, "\n"));
        bytes_free(&content);
    }
    return validator ? validator : xstrdup("");
}

static const char *header(CURL *curl, const char *name)
{
    struct curl_header *found;
    return curl_easy_header(curl, name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK ? found->value : "";
}

/* A weak ETag does not promise equal bytes, so If-Range must not use it. */
static const char *answer_validator(CURL *curl)
{
    const char *tag = header(curl, "ETag");
    return tag[0] == '"' ? tag : header(curl, "Last-Modified");
}

static bool write_origin(struct transfer *transfer)
{
    FILE *file = fopen(transfer->origin, "w");
    bool ok = file && fprintf(file, "%s\n%s\n", transfer->address, transfer->validator) > 0;
    return (!file || fclose(file) == 0) && ok;
}

/* ---- the body ---- */

/* The rest of the file goes behind the part; a whole file replaces it. */
static bool begin_body(struct transfer *transfer)
{
    long status = 0;
    curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    transfer->begun = true;
    if (status == HTTP_PARTIAL) {
        char *expected = format_text("bytes %lld-", (long long)transfer->offset);
        const char *range = header(transfer->curl, "Content-Range");
        bool fits = strncmp(range, expected, strlen(expected)) == 0;
        free(expected);
        return fits || fail(transfer->error, "%s: the server sends '%s' and not the bytes from %lld on; remove %s and try "
                            "again", transfer->address, range, (long long)transfer->offset, transfer->part);
    }
    if (status != HTTP_OK)
        return fail(transfer->error, "%s: the server answers %ld and not with the file", transfer->address, status);
    if (transfer->offset > 0)
        fprintf(stderr, "%s: the server sends the whole file again\n", transfer->label);
    transfer->offset = 0;
    free(transfer->validator);
    transfer->validator = xstrdup(answer_validator(transfer->curl));
    /* In this order: whenever this is cut off, an old validator never stands beside new bytes. */
    return (ftruncate(transfer->file, 0) == 0 && write_origin(transfer)) ||
           fail(transfer->error, "cannot write %s: %s", transfer->part, strerror(errno));
}

static size_t receive(char *bytes, size_t one, size_t count, void *user)
{
    struct transfer *transfer = user;
    transfer->failed = !transfer->begun && !begin_body(transfer);
    if (!transfer->failed && !write_all(transfer->file, bytes, one * count))
        transfer->failed = !fail(transfer->error, "cannot write %s: %s%s", transfer->part, strerror(errno),
                                 errno == ENOSPC || errno == EDQUOT
                                     ? "; make room, and the same command goes on from there" : "");
    return transfer->failed ? 0 : one * count;
}

/* ---- progress ---- */

static int show_progress(void *user, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
    struct transfer *transfer = user;
    struct timespec clock;
    const double mebibyte = 1 << 20;
    curl_off_t speed = 0;
    (void)up_total, (void)up_now;
    clock_gettime(CLOCK_MONOTONIC, &clock);
    double seconds = (double)clock.tv_sec + 1e-9 * (double)clock.tv_nsec;
    if (!transfer->terminal || seconds < transfer->drawn_at + REDRAW_SECONDS)
        return 0;
    curl_easy_getinfo(transfer->curl, CURLINFO_SPEED_DOWNLOAD_T, &speed);
    fprintf(stderr, "\r%s: %.1f", transfer->label, (double)(transfer->offset + now) / mebibyte);
    if (total > 0)
        fprintf(stderr, " of %.1f", (double)(transfer->offset + total) / mebibyte);
    fprintf(stderr, " MiB, %.1f MiB/s\033[K", (double)speed / mebibyte);
    transfer->drawn_at = seconds;
    transfer->drawn = true;
    return 0;
}

/* ---- the transfer ---- */

static const struct { CURLcode code; const char *text; } reasons[] = {
    {CURLE_COULDNT_RESOLVE_HOST, "the host's name is not known here; is this machine on the network?"},
    {CURLE_COULDNT_RESOLVE_PROXY, "the proxy's name is not known here; see http_proxy and https_proxy in the environment"},
    {CURLE_COULDNT_CONNECT, "no server answers there"},
    {CURLE_OPERATION_TIMEDOUT, "the server is silent"},
    {CURLE_PARTIAL_FILE, "the connection was cut"},
    {CURLE_RECV_ERROR, "the connection was cut"},
    {CURLE_GOT_NOTHING, "the server has closed the connection without an answer"},
    {CURLE_PEER_FAILED_VERIFICATION, "the server's certificate cannot be verified; is ca-certificates installed?"},
    {CURLE_SSL_CACERT_BADFILE, "there are no certificates to verify the server; install the package ca-certificates"},
    {CURLE_TOO_MANY_REDIRECTS, "too many redirections"},
    {CURLE_URL_MALFORMAT, "this is not a valid address"},
};

static bool fail_transfer(const struct transfer *transfer, CURLcode code)
{
    const char *text = "";
    long status = 0;
    struct stat part;
    if (transfer->failed)
        return false;
    curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_HTTP_RETURNED_ERROR)
        return fail(transfer->error, "%s: the server answers %ld%s", transfer->address, status,
                    status == 404   ? ", no such file"
                    : status == 403 ? ", access refused"
                    : status >= 500 ? ", it has trouble; try later"
                                    : "");
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].code == code)
            text = reasons[i].text;
    bool kept = fstat(transfer->file, &part) == 0 && part.st_size > 0 && transfer->validator[0];
    char *rest = kept ? format_text("; %lld bytes are kept, and the same command goes on from there",
                                    (long long)part.st_size)
                      : xstrdup("");
    fail(transfer->error, "%s: %s%s%s%s%s", transfer->address, text, *text ? " (" : "",
         transfer->reason[0] ? transfer->reason : curl_easy_strerror(code), *text ? ")" : "", rest);
    free(rest);
    return false;
}

static void set_options(struct transfer *transfer)
{
    CURL *curl = transfer->curl;
    bool secure = strncmp(transfer->address, "https:", strlen("https:")) == 0;
    curl_easy_setopt(curl, CURLOPT_URL, transfer->address);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, MOST_REDIRECTS);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "bitsweep");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, STALL_SECONDS);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transfer->reason);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, show_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer);
}

/* One request. *again: the part is no beginning of the file there is now. */
static bool request(struct transfer *transfer, bool *again)
{
    struct curl_slist *headers = NULL;
    long status = 0;
    *again = transfer->begun = false;
    transfer->curl = curl_easy_init();
    if (!transfer->curl)
        return fail(transfer->error, "libcurl cannot be started");
    set_options(transfer);
    if (transfer->offset > 0) {
        char *range = format_text("%lld-", (long long)transfer->offset);
        char *condition = format_text("If-Range: %s", transfer->validator);
        curl_easy_setopt(transfer->curl, CURLOPT_RANGE, range); /* copied */
        headers = curl_slist_append(headers, condition);
        curl_easy_setopt(transfer->curl, CURLOPT_HTTPHEADER, headers);
        free(range);
        free(condition);
    }
    CURLcode code = curl_easy_perform(transfer->curl);
    if (transfer->drawn)
        fputs("\r\033[K", stderr);
    curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    *again = code == CURLE_HTTP_RETURNED_ERROR && status == HTTP_NOT_SATISFIABLE && transfer->offset > 0;
    bool ok = code == CURLE_OK && (transfer->begun || begin_body(transfer)); /* an empty file has no body */
    if (code != CURLE_OK)
        fail_transfer(transfer, code);
    curl_slist_free_all(headers);
    curl_easy_cleanup(transfer->curl);
    return ok;
}

bool download(const char *label, const char *address, const char *path, struct error *error)
{
    struct transfer transfer = {.label = label, .address = address, .error = error, .part = format_text("%s.part", path),
                                .origin = format_text("%s.part.origin", path), .terminal = isatty(STDERR_FILENO)};
    struct stat part;
    bool again = false, ok = false;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    transfer.validator = read_validator(transfer.origin, address);
    transfer.file = open(transfer.part, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (transfer.file < 0 || fstat(transfer.file, &part) != 0) {
        fail(error, "cannot write %s: %s", transfer.part, strerror(errno));
        goto out;
    }
    transfer.offset = transfer.validator[0] ? part.st_size : 0;
    fprintf(stderr, "%s: %s\n", label, address);
    if (transfer.offset > 0)
        fprintf(stderr, "%s: %lld bytes are there, going on\n", label, (long long)transfer.offset);
    ok = request(&transfer, &again);
    if (again) {
        transfer.offset = 0;
        ok = request(&transfer, &again);
    }
    if (ok && rename(transfer.part, path) != 0)
        ok = fail(error, "cannot write %s: %s", path, strerror(errno));
    if (ok)
        unlink(transfer.origin);
    else if (fstat(transfer.file, &part) == 0 && part.st_size == 0)
        unlink(transfer.part);
out:
    if (transfer.file >= 0)
        close(transfer.file);
    free(transfer.part);
    free(transfer.origin);
    free(transfer.validator);
    curl_global_cleanup();
    return ok;
}
