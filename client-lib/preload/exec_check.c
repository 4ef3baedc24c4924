/* SPDX-License-Identifier: BSD-2-Clause */
#include "exec_check.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SCRIPT_DEPTH 4

#if __SIZEOF_POINTER__ == 8
#define OUR_CLASS ELFCLASS64
#else
#define OUR_CLASS ELFCLASS32
#endif

static int may_run(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return errno == EACCES ? -EACCES : -ENOENT;
    return S_ISREG(st.st_mode) && access(path, X_OK) == 0 ? 0 : -EACCES;
}

int exec_find(const char *file, char ret[PATH_MAX])
{
    const char *dir = getenv("PATH");
    size_t name_len = strlen(file);
    int found = -ENOENT;

    if (name_len == 0 || name_len >= PATH_MAX)
        return -ENOENT;
    if (strchr(file, '/')) {
        memcpy(ret, file, name_len + 1);
        return may_run(ret);
    }
    if (!dir)
        dir = "/bin:/usr/bin";
    for (;;) {
        size_t n = strcspn(dir, ":");
        size_t at = n;
        int r;

        if (n + name_len + 2 < PATH_MAX) {
            memcpy(ret, dir, n);
            if (n)
                ret[at++] = '/';
            memcpy(ret + at, file, name_len + 1);
            r = may_run(ret);
            if (r == 0)
                return 0;
            if (r == -EACCES)
                found = r;
        }
        if (!dir[n])
            return found;
        dir += n + 1;
    }
}

/* The kernel tells the dynamic linker not to trust the environment (AT_SECURE). */
static bool gains_privilege(int fd)
{
    struct statvfs fs;
    struct stat st;

    if (getuid() != geteuid() || getgid() != getegid())
        return true;
    if (fstat(fd, &st) < 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ||
        (fstatvfs(fd, &fs) == 0 && (fs.f_flag & ST_NOSUID)))
        return false;
    if ((st.st_mode & S_ISUID) && st.st_uid != getuid())
        return true;
    if ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && st.st_gid != getgid())
        return true;
    return getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

static bool has_interpreter(int fd, const ElfW(Ehdr) *eh)
{
    ElfW(Phdr) ph;
    unsigned i;

    for (i = 0; i < eh->e_phnum; i++) {
        if (pread(fd, &ph, sizeof(ph), (off_t)(eh->e_phoff + i * eh->e_phentsize)) != sizeof(ph))
            return true; /* not for us to judge */
        if (ph.p_type == PT_INTERP)
            return true;
    }
    return false;
}

static const char *obstacle_at(const char *path, int depth);

/* "#! /bin/sh -e": the first word. */
static const char *script_obstacle(char *line, size_t len, int depth)
{
    char *word = line + 2;

    line[len] = '\0';
    word += strspn(word, " \t");
    word[strcspn(word, " \t\n")] = '\0';
    return *word && depth > 0 ? obstacle_at(word, depth - 1) : NULL;
}

static const char *obstacle_of(int fd, int depth)
{
    union {
        ElfW(Ehdr) eh;
        char text[256];
    } head;
    ssize_t n = pread(fd, &head, sizeof(head) - 1, 0);

    if (n >= 2 && memcmp(head.text, "#!", 2) == 0)
        return script_obstacle(head.text, (size_t)n, depth);
    if (n < (ssize_t)sizeof(head.eh) || memcmp(head.eh.e_ident, ELFMAG, SELFMAG) != 0)
        return NULL;
    if (head.eh.e_ident[EI_CLASS] != OUR_CLASS)
        return "is a program for another machine word size";
    if (gains_privilege(fd))
        return "is set-uid, set-gid or has capabilities";
    if (!has_interpreter(fd, &head.eh))
        return "is statically linked";
    return NULL;
}

static const char *obstacle_at(const char *path, int depth)
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const char *why;

    if (fd < 0)
        return NULL;
    why = obstacle_of(fd, depth);
    syscall(SYS_close, fd);
    return why;
}

const char *exec_obstacle(const char *path)
{
    int kept = errno;
    const char *why = obstacle_at(path, SCRIPT_DEPTH);

    errno = kept;
    return why;
}

const char *exec_obstacle_fd(int fd)
{
    int kept = errno;
    const char *why = obstacle_of(fd, SCRIPT_DEPTH);

    errno = kept;
    return why;
}
