/* local_fs.c - file systems told apart by statfs(2). Numbers: linux/magic.h and the file systems'
 * own sources (Lustre, GPFS, BeeGFS, PanFS are not in the kernel's list). */
#include "coordinator/store/local_fs.h"

#include <stddef.h>
#include <sys/vfs.h>

static const struct {
    unsigned long magic;
    const char *name;
    bool fuse;
} remote[] = {
    {0x6969, "NFS", false},       {0xff534d42, "CIFS", false},   {0xfe534d42, "SMB2", false},
    {0x517b, "SMB", false},       {0x0bd00bd0, "Lustre", false}, {0x47504653, "GPFS", false},
    {0x01021997, "9p", false},    {0x5346414f, "AFS", false},    {0x6b414653, "AFS", false},
    {0x73757245, "Coda", false},  {0x00c36400, "Ceph", false},   {0x19830326, "BeeGFS", false},
    {0xaad7aaea, "PanFS", false}, {0x7461636f, "OCFS2", false},  {0x01161970, "GFS2", false},
    {0x65735546, "FUSE", true},
};

static unsigned long pretended;

void local_fs_pretend(unsigned long magic)
{
    pretended = magic;
}

int local_fs_check(const char *dir, bool allow_fuse, struct px_err *err)
{
    struct statfs fs;
    if (statfs(dir, &fs) != 0)
        return px_fail_errno(err, "cannot ask for the file system of %s", dir);
    /* f_type is signed on some machines: CIFS has the top bit set */
    unsigned long magic = pretended ? pretended : (unsigned long)fs.f_type & 0xffffffffUL;
    for (size_t i = 0; i < sizeof remote / sizeof *remote; i++) {
        if (remote[i].magic != magic || (remote[i].fuse && allow_fuse))
            continue;
        return px_fail(err, PX_EUNSUPPORTED,
                       "%s is on a network file system (%s), where the store's locks do not hold: "
                       "put the run on a local disk%s",
                       dir, remote[i].name,
                       remote[i].fuse ? ", or name the store's place explicitly" : "");
    }
    return 0;
}
