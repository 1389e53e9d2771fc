#include "coordinator/dispatch/rendezvous.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include "proto/clock.h"
#include "proto/digest.h"
#include "proto/file.h"
#include "proto/link.h"
#include "proto/mem.h"

enum { GUARD_FRAMES = 7 };

/* ---- the place of the ipc socket ---- */

/* Somewhere short, named after the run: for paths that do not fit a socket's name. */
static char *short_dir(const char *run_dir)
{
    char hex[PX_HEX_SIZE];
    const char *base = getenv("XDG_RUNTIME_DIR");
    struct px_digest d = px_sha256(run_dir, strlen(run_dir));
    px_digest_hex(&d, hex);
    if (!base || base[0] != '/' || strlen(base) > 60)
        base = "/tmp";
    return px_xasprintf("%s/proctor-%u-%.16s", base, (unsigned)getuid(), hex);
}

static int make_private(const char *dir, struct px_err *err)
{
    struct stat st;
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return px_fail_errno(err, "cannot make %s for sockets", dir);
    if (lstat(dir, &st) != 0)
        return px_fail_errno(err, "cannot look at %s", dir);
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid())
        return px_fail(err, PX_EINPUT, "%s is not a directory of ours: remove it", dir);
    if ((st.st_mode & 0777) != 0700 && chmod(dir, 0700) != 0)
        return px_fail_errno(err, "cannot make %s private", dir);
    return 0;
}

char *rendezvous_ipc(const char *run_dir, bool make, struct px_err *err)
{
    PX_FREE char *real = realpath(run_dir, NULL);
    if (!real) {
        px_fail_errno(err, "cannot find the run's directory %s", run_dir);
        return NULL;
    }
    PX_FREE char *dir = px_path_join(real, "sock");
    if (strlen(dir) + sizeof "/hall" > sizeof((struct sockaddr_un *)0)->sun_path) {
        free(dir);
        dir = short_dir(real);
    }
    if (make && make_private(dir, err) != 0)
        return NULL;
    return px_xasprintf("ipc://%s/hall", dir);
}

void rendezvous_remove(const char *endpoint)
{
    if (strncmp(endpoint, "ipc://", 6) != 0)
        return;
    PX_FREE char *dir = px_dirname(endpoint + 6);
    unlink(endpoint + 6);
    rmdir(dir);
}

/* ---- binding ---- */

static int use_keys(void *socket, const struct curve_server *keys, struct px_err *err)
{
    int on = 1;
    if (zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &on, sizeof on) != 0 ||
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, keys->secret_key, CURVE_Z85) != 0 ||
        zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, "proctor", 7) != 0)
        return px_fail_errno(err, "cannot use the keys of this coordinator");
    return 0;
}

void *rendezvous_bind(void *ctx, const char *endpoint, const struct curve_server *keys,
                      struct px_err *err)
{
    int on = 1;
    void *s = zmq_socket(ctx, ZMQ_ROUTER);
    if (!s) {
        px_fail_errno(err, "cannot make a ZeroMQ socket");
        return NULL;
    }
    int rc = link_set_options(s, err);
    if (rc == 0 && zmq_setsockopt(s, ZMQ_ROUTER_MANDATORY, &on, sizeof on) != 0)
        rc = px_fail_errno(err, "cannot set up a ZeroMQ socket");
    if (rc == 0 && keys)
        rc = use_keys(s, keys, err);
    if (rc == 0 && zmq_bind(s, endpoint) != 0)
        rc =
            errno == EADDRINUSE
                ? px_fail(err, PX_EEXIST, "cannot listen on %s: the address is in use", endpoint)
                : px_fail(err, PX_EINPUT, "cannot listen on %s: %s", endpoint, zmq_strerror(errno));
    if (rc == 0)
        return s;
    zmq_close(s);
    return NULL;
}

/* ---- who may connect (ZeroMQ's authentication protocol, RFC 27) ---- */

void *rendezvous_guard(void *ctx, struct px_err *err)
{
    int linger = 0;
    void *s = zmq_socket(ctx, ZMQ_REP);
    if (!s || zmq_setsockopt(s, ZMQ_LINGER, &linger, sizeof linger) != 0 ||
        zmq_bind(s, "inproc://zeromq.zap.01") != 0) {
        px_fail_errno(err, "cannot guard the tcp endpoint");
        if (s)
            zmq_close(s);
        return NULL;
    }
    return s;
}

/* version, request id, domain, address, identity, mechanism, credentials */
static bool may_enter(zmq_msg_t *frame, int n, const struct curve_server *keys)
{
    uint8_t client[32];
    if (n != GUARD_FRAMES || zmq_msg_size(&frame[5]) != 5 || zmq_msg_size(&frame[6]) != 32 ||
        memcmp(zmq_msg_data(&frame[5]), "CURVE", 5) != 0 || !zmq_z85_decode(client, keys->client))
        return false;
    return memcmp(zmq_msg_data(&frame[6]), client, 32) == 0;
}

static bool receive(void *guard, zmq_msg_t *frame, int *n)
{
    *n = 0;
    for (bool more = true; more;) {
        zmq_msg_t extra;
        zmq_msg_t *f = *n < GUARD_FRAMES ? &frame[*n] : &extra;
        zmq_msg_init(f);
        if (zmq_msg_recv(f, guard, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(f);
            return false;
        }
        more = zmq_msg_more(f);
        if (f == &extra)
            zmq_msg_close(f);
        else
            ++*n;
    }
    return true;
}

void rendezvous_answer(void *guard, const struct curve_server *keys)
{
    zmq_msg_t frame[GUARD_FRAMES];
    int n;
    while (receive(guard, frame, &n)) {
        bool ok = may_enter(frame, n, keys);
        const char *text = ok ? "OK" : "unknown key";
        zmq_send(guard, "1.0", 3, ZMQ_SNDMORE);
        zmq_send(guard, n > 1 ? zmq_msg_data(&frame[1]) : "", n > 1 ? zmq_msg_size(&frame[1]) : 0,
                 ZMQ_SNDMORE);
        zmq_send(guard, ok ? "200" : "400", 3, ZMQ_SNDMORE);
        zmq_send(guard, text, strlen(text), ZMQ_SNDMORE);
        zmq_send(guard, "", 0, ZMQ_SNDMORE);
        zmq_send(guard, "", 0, 0);
        for (int i = 0; i < n; i++)
            zmq_msg_close(&frame[i]);
    }
}

/* ---- asking from elsewhere ---- */

static int ask(void *socket, int timeout_ms, struct px_buf *json, struct px_err *err)
{
    struct wire_msg question = {.kind = WIRE_STATUS, .bare = true}, m;
    int64_t until = clk_now_us() + 1000 * (int64_t)timeout_ms;
    link_send(socket, NULL, &question);
    for (int64_t left; (left = until - clk_now_us()) > 0;) {
        zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
        zmq_poll(&item, 1, (long)(left / 1000 + 1));
        if (link_recv(socket, NULL, NULL, &m, err) != LINK_MESSAGE)
            continue;
        bool answered = m.kind == WIRE_STATUS && m.progress_json;
        if (answered)
            px_buf_str(json, m.progress_json);
        wire_clear(&m);
        if (answered)
            return 0;
    }
    return px_fail(err, PX_ETIMEOUT, "no coordinator answered within %d ms", timeout_ms);
}

int rendezvous_ask(const char *endpoint, const char *curve_dir, int timeout_ms, struct px_buf *json,
                   struct px_err *err)
{
    struct curve_client k;
    bool tcp = strncmp(endpoint, "tcp://", 6) == 0;
    if (tcp && !curve_dir)
        return px_fail(err, PX_EUSAGE, "endpoint '%s' needs keys: say where client.key is",
                       endpoint);
    if (tcp && curve_client_load(curve_dir, &k, err) != 0)
        return -1;
    void *ctx = zmq_ctx_new();
    void *s = ctx ? zmq_socket(ctx, ZMQ_DEALER) : NULL;
    int rc = s ? link_set_options(s, err) : px_fail_errno(err, "cannot make a ZeroMQ socket");
    if (rc == 0 && tcp &&
        (zmq_setsockopt(s, ZMQ_CURVE_SERVERKEY, k.server, CURVE_Z85) != 0 ||
         zmq_setsockopt(s, ZMQ_CURVE_PUBLICKEY, k.public_key, CURVE_Z85) != 0 ||
         zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, k.secret_key, CURVE_Z85) != 0))
        rc = px_fail_errno(err, "cannot use the keys in %s", curve_dir);
    if (rc == 0 && zmq_connect(s, endpoint) != 0)
        rc = px_fail_errno(err, "cannot connect to %s", endpoint);
    if (rc == 0)
        rc = ask(s, timeout_ms, json, err);
    if (s)
        zmq_close(s);
    if (ctx)
        zmq_ctx_term(ctx);
    return rc;
}
