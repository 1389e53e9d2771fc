/* fetch.c - see fetch.h. libcurl does HTTP, TLS, proxies (by the environment) and redirects. */
#include "coordinator/data/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/data/curl_lib.h"
#include "proto/clock.h"
#include "proto/file.h"
#include "proto/mem.h"

enum { MAX_REDIRECTS = 5, CONNECT_S = 20, STALLED_S = 30, MAX_PAUSE_S = 30 };

/* One file on its way. */
struct transfer {
    const struct fetch_request *r;
    const struct fetch_options *o;
    const char *name; /* for messages: the last part of the path */
    const struct curl_lib *lib;
    CURL *curl;
    int fd;
    int64_t at; /* bytes of the part that are there */
    /* of the response that is being read */
    int64_t range_from; /* of Content-Range; -1: none was sent */
    bool begun;         /* the first byte of the body was placed */
    bool not_wanted;    /* an error page: read and thrown away */
    bool too_big;
    int write_errno;
    uint64_t shown_us;
    char detail[CURL_ERROR_SIZE];
};

/* What became of one attempt. */
enum attempt { ATTEMPT_WHOLE, ATTEMPT_AGAIN, ATTEMPT_OVER };

static bool stopped(const struct fetch_options *o)
{
    return o->stop && *o->stop;
}

static size_t on_header(char *line, size_t one, size_t n, void *arg)
{
    struct transfer *t = arg;
    static const char range[] = "content-range: bytes ";
    (void)one;
    if (n >= 5 && strncmp(line, "HTTP/", 5) == 0)
        t->range_from = -1; /* of a redirect, or of the answer behind it */
    if (n > sizeof range && strncasecmp(line, range, sizeof range - 1) == 0) {
        PX_FREE char *text = px_xstrndup(line + sizeof range - 1, n - (sizeof range - 1));
        char *end;
        errno = 0;
        long long from = strtoll(text, &end, 10);
        t->range_from = errno == 0 && end != text && *end == '-' && from >= 0 ? from : -1;
    }
    return n;
}

/* Where does the body go? To the end of the part when the server continues it, to its beginning
 * otherwise. */
static int begin(struct transfer *t)
{
    long status = 0;
    t->lib->getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    t->begun = true;
    t->not_wanted = status != 200 && status != 206;
    if (t->not_wanted || (status == 206 && t->range_from == t->at))
        return 0;
    if (ftruncate(t->fd, 0) != 0) {
        t->write_errno = errno;
        return -1;
    }
    t->at = 0;
    /* A range that was not asked for: the next attempt asks for everything. */
    t->not_wanted = status == 206;
    return 0;
}

static size_t on_body(char *data, size_t one, size_t n, void *arg)
{
    struct transfer *t = arg;
    (void)one;
    if (!t->begun && begin(t) != 0)
        return 0;
    if (t->not_wanted)
        return n;
    if ((int64_t)n > t->r->bytes - t->at) {
        t->too_big = true;
        return 0;
    }
    for (size_t done = 0; done < n;) {
        ssize_t k = pwrite(t->fd, data + done, n - done, t->at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0) {
            t->write_errno = k < 0 ? errno : ENOSPC;
            return 0;
        }
        done += (size_t)k;
        t->at += k;
    }
    return n;
}

static int on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up,
                       curl_off_t up_now)
{
    struct transfer *t = arg;
    (void)total, (void)now, (void)up, (void)up_now;
    if (stopped(t->o))
        return 1;
    uint64_t us = (uint64_t)clk_now_us();
    if (t->o->progress && us - t->shown_us > 200000) {
        t->shown_us = us;
        fprintf(stderr, "\r%-40.40s %5.1f of %5.1f MB ", t->name, (double)t->at / 1e6,
                (double)t->r->bytes / 1e6);
        fflush(stderr);
    }
    return 0;
}

static void set_up(struct transfer *t)
{
    const char *schemes = t->o->plain ? "http,https" : "https";
    t->lib->reset(t->curl);
    t->lib->setopt(t->curl, CURLOPT_URL, t->r->url);
    t->lib->setopt(t->curl, CURLOPT_PROTOCOLS_STR, schemes);
    t->lib->setopt(t->curl, CURLOPT_REDIR_PROTOCOLS_STR, schemes);
    t->lib->setopt(t->curl, CURLOPT_FOLLOWLOCATION, 1L);
    t->lib->setopt(t->curl, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
    t->lib->setopt(t->curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    t->lib->setopt(t->curl, CURLOPT_LOW_SPEED_LIMIT, 16L);
    t->lib->setopt(t->curl, CURLOPT_LOW_SPEED_TIME, (long)STALLED_S);
    t->lib->setopt(t->curl, CURLOPT_NOSIGNAL, 1L);
    t->lib->setopt(t->curl, CURLOPT_USERAGENT, "proctor/" PROCTOR_VERSION);
    t->lib->setopt(t->curl, CURLOPT_ERRORBUFFER, t->detail);
    t->lib->setopt(t->curl, CURLOPT_HEADERFUNCTION, on_header);
    t->lib->setopt(t->curl, CURLOPT_HEADERDATA, t);
    t->lib->setopt(t->curl, CURLOPT_WRITEFUNCTION, on_body);
    t->lib->setopt(t->curl, CURLOPT_WRITEDATA, t);
    t->lib->setopt(t->curl, CURLOPT_NOPROGRESS, 0L);
    t->lib->setopt(t->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    t->lib->setopt(t->curl, CURLOPT_XFERINFODATA, t);
    if (t->at > 0) {
        char from[32];
        snprintf(from, sizeof from, "%lld-", (long long)t->at);
        t->lib->setopt(t->curl, CURLOPT_RANGE, from);
    }
    t->range_from = -1;
    t->begun = t->not_wanted = t->too_big = false;
    t->write_errno = 0;
    t->detail[0] = '\0';
}

static enum attempt judge_status(struct transfer *t, long status, struct px_err *err)
{
    switch (status) {
    case 200:
    case 206:
        if (t->at == t->r->bytes)
            return ATTEMPT_WHOLE;
        px_fail(err, PX_EIO, "%s: the answer ended after %lld of %lld bytes", t->r->url,
                (long long)t->at, (long long)t->r->bytes);
        return ATTEMPT_AGAIN;
    case 416: /* the server's file is shorter than our part */
        t->at = 0;
        px_fail(err, PX_EINPUT, "%s: the server's file is shorter than what is here of it",
                t->r->url);
        return ftruncate(t->fd, 0) == 0 ? ATTEMPT_AGAIN : ATTEMPT_OVER;
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
        px_fail(err, PX_EIO, "%s: the server answers %ld", t->r->url, status);
        return ATTEMPT_AGAIN;
    default:
        px_fail(err, PX_EMISSING,
                "%s: the server answers %ld%s; the file may have moved: --mirror names another "
                "server",
                t->r->url, status, status == 404 ? " (not there)" : "");
        return ATTEMPT_OVER;
    }
}

static enum attempt judge_failure(struct transfer *t, CURLcode rc, struct px_err *err)
{
    const char *why = t->detail[0] ? t->detail : t->lib->strerror(rc);
    if (t->too_big) {
        px_fail(err, PX_EINPUT, "%s: the server sends more than the %lld bytes of this file",
                t->r->url, (long long)t->r->bytes);
        (void)!ftruncate(t->fd, 0);
        return ATTEMPT_OVER;
    }
    if (t->write_errno) {
        errno = t->write_errno;
        px_fail_errno(err, "%s: cannot write it (%lld of %lld bytes are there and will be kept)",
                      t->r->path, (long long)t->at, (long long)t->r->bytes);
        return ATTEMPT_OVER;
    }
    switch (rc) {
    case CURLE_ABORTED_BY_CALLBACK:
        px_fail(err, PX_EINTERRUPTED,
                "%s: interrupted after %lld of %lld bytes; the same command goes on from there",
                t->name, (long long)t->at, (long long)t->r->bytes);
        return ATTEMPT_OVER;
    case CURLE_TOO_MANY_REDIRECTS:
        px_fail(err, PX_EINPUT, "%s: more than %d redirects", t->r->url, MAX_REDIRECTS);
        return ATTEMPT_OVER;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
        px_fail(err, PX_EINPUT, "%s: %s (only %s is allowed)", t->r->url, why,
                t->o->plain ? "http and https" : "https");
        return ATTEMPT_OVER;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        px_fail(err, PX_EIO, "%s: %s", t->r->url, why);
        return ATTEMPT_OVER;
    case CURLE_OPERATION_TIMEDOUT:
        px_fail(err, PX_ETIMEOUT, "%s: %s", t->r->url, why);
        return ATTEMPT_AGAIN;
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
        px_fail(err, PX_EIO, "%s: the connection broke off after %lld of %lld bytes: %s", t->r->url,
                (long long)t->at, (long long)t->r->bytes, why);
        return ATTEMPT_AGAIN;
    default:
        px_fail(err, PX_EIO, "%s: %s", t->r->url, why);
        return ATTEMPT_AGAIN;
    }
}

static enum attempt attempt(struct transfer *t, struct px_err *err)
{
    long status = 0;
    set_up(t);
    CURLcode rc = t->lib->perform(t->curl);
    if (t->o->progress)
        fprintf(stderr, "\r%60s\r", "");
    if (rc != CURLE_OK)
        return judge_failure(t, rc, err);
    t->lib->getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    return judge_status(t, status, err);
}

/* Half a second, then twice as long each time; what the server asks for when that is more. */
static void pause_before(struct transfer *t, unsigned attempt_no)
{
    curl_off_t asked = 0;
    int64_t us = (int64_t)500000 << (attempt_no < 6 ? attempt_no : 6);
    t->lib->getinfo(t->curl, CURLINFO_RETRY_AFTER, &asked);
    if (asked > 0 && asked * 1000000 > us)
        us = asked * 1000000;
    if (us > (int64_t)MAX_PAUSE_S * 1000000)
        us = (int64_t)MAX_PAUSE_S * 1000000;
    for (; us > 0 && !stopped(t->o); us -= 100000)
        clk_sleep_us(100000);
}

static int transfer(struct transfer *t, struct px_err *err)
{
    enum attempt a = t->at == t->r->bytes ? ATTEMPT_WHOLE : ATTEMPT_AGAIN;
    for (unsigned i = 0; a == ATTEMPT_AGAIN; i++) {
        a = attempt(t, err);
        if (a != ATTEMPT_AGAIN)
            break;
        if (i == t->o->retries)
            return px_wrap(err, "after %u attempts", i + 1);
        if (err)
            fprintf(stderr, "%s; trying again\n", err->text);
        pause_before(t, i);
        if (stopped(t->o))
            return px_fail(err, PX_EINTERRUPTED,
                           "%s: interrupted after %lld of %lld bytes; the same command goes on "
                           "from there",
                           t->name, (long long)t->at, (long long)t->r->bytes);
    }
    return a == ATTEMPT_WHOLE ? 0 : -1;
}

/* Is what is there the file? Its digest is computed from the disk. */
static bool is_right(const struct transfer *t, const char *part, char got[PX_HEX_SIZE],
                     struct px_err *err)
{
    PX_FREE char *text = NULL;
    size_t n;
    got[0] = '\0';
    if (px_read_file(part, (size_t)1 << 30, &text, &n, err) != 0)
        return false;
    struct px_digest d = px_sha256(text, n);
    px_digest_hex(&d, got);
    return px_digest_eq(&d, &t->r->hash);
}

static int put_in_place(struct transfer *t, const char *part, struct px_err *err)
{
    PX_FREE char *dir = px_dirname(t->r->path);
    if (fsync(t->fd) != 0)
        return px_fail_errno(err, "cannot write %s", part);
    if (rename(part, t->r->path) != 0)
        return px_fail_errno(err, "cannot rename %s to %s", part, t->r->path);
    PX_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        (void)fsync(fd); /* some file systems refuse it; the rename itself is whole */
    return 0;
}

static int fetch_part(struct transfer *t, const char *part, struct px_err *err)
{
    char want[PX_HEX_SIZE], got[PX_HEX_SIZE];
    bool resumed = t->at > 0;
    px_digest_hex(&t->r->hash, want);
    for (;;) {
        if (transfer(t, err) != 0)
            return -1;
        if (is_right(t, part, got, err))
            return put_in_place(t, part, err);
        if (!got[0])
            return -1;
        if (ftruncate(t->fd, 0) != 0)
            return px_fail_errno(err, "cannot empty %s", part);
        t->at = 0;
        if (!resumed)
            break;
        resumed = false; /* the part may have been what was wrong */
        fprintf(stderr, "%s: what was there of it was wrong; from the beginning\n", t->name);
    }
    return px_fail(err, PX_EINPUT,
                   "%s: the SHA-256 of what was received is %s, expected %s: it is another file; "
                   "nothing was kept",
                   t->r->url, got, want);
}

static char *part_path(const struct fetch_request *r)
{
    char hex[PX_HEX_SIZE];
    PX_FREE char *dir = px_dirname(r->path);
    const char *slash = strrchr(r->path, '/');
    px_digest_hex(&r->hash, hex);
    return px_xasprintf("%s/.%s.%.16s.part", dir, slash ? slash + 1 : r->path, hex);
}

static int open_part(struct transfer *t, const char *part, struct px_err *err)
{
    struct stat st;
    t->fd = open(part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (t->fd < 0)
        return px_fail_errno(err, "cannot create %s", part);
    if (flock(t->fd, LOCK_EX | LOCK_NB) != 0)
        return px_fail(err, PX_EEXIST, "%s is being fetched by another process", t->name);
    if (fstat(t->fd, &st) != 0)
        return px_fail_errno(err, "cannot read %s", part);
    t->at = st.st_size;
    if (t->at > t->r->bytes && ftruncate(t->fd, 0) != 0)
        return px_fail_errno(err, "cannot empty %s", part);
    t->at = t->at > t->r->bytes ? 0 : t->at;
    return 0;
}

int fetch_file(const struct fetch_request *r, const struct fetch_options *o, struct px_err *err)
{
    PX_FREE char *dir = px_dirname(r->path);
    PX_FREE char *part = part_path(r);
    const char *slash = strrchr(r->path, '/');
    struct transfer t = {.r = r, .o = o, .fd = -1, .name = slash ? slash + 1 : r->path};
    px_assert(!px_digest_is_zero(&r->hash) && r->bytes >= 0);
    if ((t.lib = curl_lib_get(err)) == NULL || px_mkdirs(dir, 0755, err) != 0)
        return -1;
    if ((t.curl = t.lib->init()) == NULL)
        return px_fail(err, PX_EINTERNAL, "libcurl cannot be started");
    int rc = open_part(&t, part, err);
    if (rc == 0)
        rc = fetch_part(&t, part, err);
    if (rc != 0 && t.fd >= 0 && t.at == 0 && (!err || err->code != PX_EEXIST))
        unlink(part); /* an empty part is of no use */
    if (t.fd >= 0)
        close(t.fd);
    t.lib->cleanup(t.curl);
    return rc;
}

char *fetch_mirrored(const char *url, const char *base, struct px_err *err)
{
    const char *host = strstr(url, "://");
    const char *path = host ? strchr(host + 3, '/') : NULL;
    size_t n = strlen(base);
    if (strncmp(base, "https://", 8) != 0 && strncmp(base, "http://", 7) != 0) {
        px_fail(err, PX_EUSAGE, "'%.200s' does not begin with https:// or http://", base);
        return NULL;
    }
    while (n > 8 && base[n - 1] == '/')
        n--;
    return px_xasprintf("%.*s%s", (int)n, base, path ? path : "/");
}
