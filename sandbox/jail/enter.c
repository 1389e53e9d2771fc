/* enter.c - a zygote's own namespaces: one mapped user, a root with nothing but the interpreter. */
#include "sandbox/jail/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#define INNER_ID 1000

struct attr { /* struct mount_attr: <linux/mount.h> clashes with <sys/mount.h> */
    uint64_t set, clr, propagation, userns;
};

pid_t jail_clone(void)
{
    long flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC |
                 CLONE_NEWUTS | CLONE_NEWCGROUP | SIGCHLD;
    return (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
}

static int put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = write(fd, text, strlen(text));
    int saved = errno;
    close(fd);
    errno = saved;
    return n == (ssize_t)strlen(text) ? 0 : -1;
}

static int map_ids(uid_t uid, gid_t gid)
{
    char line[64];
    if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0 || put("/proc/self/setgroups", "deny") != 0)
        return -1;
    snprintf(line, sizeof line, "%d %u 1", INNER_ID, (unsigned)uid);
    if (put("/proc/self/uid_map", line) != 0)
        return -1;
    snprintf(line, sizeof line, "%d %u 1", INNER_ID, (unsigned)gid);
    if (put("/proc/self/gid_map", line) != 0)
        return -1;
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* mkdir -p below the new root; path is absolute. */
static int make_dirs(const char *root, const char *path)
{
    char full[4096];
    int n = snprintf(full, sizeof full, "%s%s", root, path);
    if (n < 0 || (size_t)n >= sizeof full) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (char *p = full + strlen(root) + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char c = *p;
        *p = '\0';
        if (mkdir(full, 0755) != 0 && errno != EEXIST)
            return -1;
        *p = c;
        if (c == '\0')
            return 0;
    }
}

/* Binds a directory (or repeats a symlink) of the old root at the same place, read-only. */
static int bind_tree(const char *root, const char *path)
{
    char full[4096], target[4096];
    struct stat st;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? 0 : -1;
    snprintf(full, sizeof full, "%s%s", root, path);
    if (S_ISLNK(st.st_mode)) {
        ssize_t n = readlink(path, target, sizeof target - 1);
        if (n < 0)
            return -1;
        target[n] = '\0';
        return symlink(target, full);
    }
    if (make_dirs(root, path) != 0 || mount(path, full, NULL, MS_BIND | MS_REC, NULL) != 0)
        return -1;
    struct attr a = {.set = 1 /* RDONLY */ | 2 /* NOSUID */ | 4 /* NODEV */};
    if (syscall(SYS_mount_setattr, -1, full, AT_RECURSIVE, &a, sizeof a) == 0)
        return 0;
    return mount(NULL, full, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL);
}

static int bind_device(const char *root, const char *path)
{
    char full[4096];
    snprintf(full, sizeof full, "%s%s", root, path);
    int fd = open(full, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return -1;
    close(fd);
    return mount(path, full, NULL, MS_BIND, NULL);
}

static int build_root(const char *root, const char *stdlib)
{
    static const char *const trees[] = {"/usr/lib", "/usr/lib64", "/lib", "/lib64"};
    static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/urandom"};
    char full[4096];
    if (mount("root", root, "tmpfs", MS_NOSUID, "size=1m,nr_inodes=256,mode=755") != 0)
        return -1;
    static const char *const dirs[] = {"/usr", "/dev", "/proc", "/w", "/etc"};
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++)
        if (make_dirs(root, dirs[i]) != 0)
            return -1;
    for (size_t i = 0; i < sizeof trees / sizeof trees[0]; i++)
        if (bind_tree(root, trees[i]) != 0)
            return -1;
    if (strncmp(stdlib, "/usr/lib/", 9) != 0 && bind_tree(root, stdlib) != 0)
        return -1;
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++)
        if (bind_device(root, devices[i]) != 0)
            return -1;
    snprintf(full, sizeof full, "%s/tmp", root);
    return symlink("w", full); /* one scratch space under both names */
}

static int change_root(const char *root)
{
    if (chdir(root) != 0 || syscall(SYS_pivot_root, ".", ".") != 0)
        return -1;
    if (umount2(".", MNT_DETACH) != 0 || chdir("/") != 0)
        return -1;
    return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID, NULL);
}

static const char *const steps[] = {"",
                                    "mapping the user",
                                    "making mounts private",
                                    "building the root",
                                    "changing the root",
                                    "naming the host",
                                    "giving up new privileges"};

const char *jail_step_name(int step)
{
    size_t i = step < 0 ? 0 : (size_t)step;
    return i > 0 && i < sizeof steps / sizeof steps[0] ? steps[i] : "cloning";
}

int jail_enter(uid_t uid, gid_t gid, const char *stdlib)
{
    const char *root = "/tmp"; /* any directory: it is only covered in this mount namespace */
    if (map_ids(uid, gid) != 0)
        return 1;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return 2;
    if (build_root(root, stdlib) != 0)
        return 3;
    if (change_root(root) != 0)
        return 4;
    if (sethostname("box", 3) != 0)
        return 5;
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0)
            return 6;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return 6;
    return 0;
}
