#include "proto/curve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "proto/file.h"
#include "proto/mem.h"

/* Finds "name=<40 characters of Z85>" at the start of a line. */
static int get_key(const char *path, const char *text, const char *name, char out[CURVE_Z85],
                   struct px_err *err)
{
    size_t n = strlen(name);
    uint8_t raw[32];
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, n) != 0 || line[n] != '=')
            continue;
        const char *value = line + n + 1;
        if (strcspn(value, "\r\n \t") != CURVE_Z85 - 1)
            break;
        memcpy(out, value, CURVE_Z85 - 1);
        out[CURVE_Z85 - 1] = '\0';
        if (!zmq_z85_decode(raw, out))
            break;
        return 0;
    }
    return px_fail(err, PX_EINPUT, "key file %s has no valid '%s=' line (40 characters of Z85)",
                   path, name);
}

static int read_keys(const char *path, char **text, struct px_err *err)
{
    struct stat st;
    size_t len;
    if (stat(path, &st) != 0)
        return px_fail_errno(err, "cannot read key file %s", path);
    if (st.st_mode & 077)
        return px_fail(err, PX_EINPUT,
                       "key file %s may be read by others (mode %03o): make it 0600", path,
                       st.st_mode & 0777);
    return px_read_file(path, 4096, text, &len, err);
}

static int write_keys(const char *path, const char *text, struct px_err *err)
{
    PX_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    size_t n = strlen(text);
    if (fd < 0 || write(fd, text, n) != (ssize_t)n || fsync(fd) != 0)
        return px_fail_errno(err, "cannot write key file %s", path);
    return 0;
}

static int make_keys(const char *dir, const char *server, const char *client, struct px_err *err)
{
    char sp[CURVE_Z85], ss[CURVE_Z85], cp[CURVE_Z85], cs[CURVE_Z85], text[256];
    if (px_mkdirs(dir, 0700, err) != 0)
        return -1;
    if (zmq_curve_keypair(sp, ss) != 0 || zmq_curve_keypair(cp, cs) != 0)
        return px_fail(err, PX_EUNSUPPORTED, "this libzmq was built without CURVE");
    snprintf(text, sizeof text, "public=%s\nsecret=%s\nserver=%s\n", cp, cs, sp);
    if (write_keys(client, text, err) != 0)
        return -1;
    /* Written last: its presence says that both are complete. */
    snprintf(text, sizeof text, "public=%s\nsecret=%s\n", sp, ss);
    return write_keys(server, text, err);
}

int curve_server_load(const char *dir, struct curve_server *out, struct px_err *err)
{
    PX_FREE char *server = px_path_join(dir, "server.key");
    PX_FREE char *client = px_path_join(dir, "client.key");
    PX_FREE char *text = NULL;
    PX_FREE char *client_text = NULL;
    struct curve_server k = {0};
    if (!px_exists(server)) {
        unlink(client); /* left by a start that was cut short */
        if (make_keys(dir, server, client, err) != 0)
            return -1;
    }
    if (read_keys(server, &text, err) != 0 || read_keys(client, &client_text, err) != 0 ||
        get_key(server, text, "public", k.public_key, err) != 0 ||
        get_key(server, text, "secret", k.secret_key, err) != 0 ||
        get_key(client, client_text, "public", k.client, err) != 0)
        return -1;
    *out = k;
    return 0;
}

int curve_client_load(const char *dir, struct curve_client *out, struct px_err *err)
{
    PX_FREE char *client = px_path_join(dir, "client.key");
    PX_FREE char *text = NULL;
    struct curve_client k = {0};
    if (read_keys(client, &text, err) != 0 ||
        get_key(client, text, "public", k.public_key, err) != 0 ||
        get_key(client, text, "secret", k.secret_key, err) != 0 ||
        get_key(client, text, "server", k.server, err) != 0)
        return -1;
    *out = k;
    return 0;
}
