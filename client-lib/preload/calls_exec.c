/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The exec family keeps the library in place: it is added to an environment that lacks
 * it, and a program that could not load it is refused (EACCES, and a line on stderr),
 * because its TCP would silently be the kernel's.
 *
 * All this may run in a child of vfork(): only the stack is used, or a mapping that
 * goes with the exec.
 */
#include <alloca.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "exec_check.h"
#include "exec_env.h"
#include "next.h"
#include "report.h"

#define STACK_ENOUGH 16384 /* bytes of environment that a small stack has room for */

struct env {
    char *const *envp;
    void *mapped;
    size_t size;
};

static void *env_map(struct env *env, size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    env->size = size;
    return env->mapped = p == MAP_FAILED ? NULL : p;
}

static void env_unmap(struct env *env)
{
    int kept = errno;

    if (env->mapped)
        munmap(env->mapped, env->size);
    errno = kept;
}

/* A macro, because alloca() lives as long as the function that it is in. */
#define ENV_MAKE(env, from)                                                                        \
    do {                                                                                           \
        size_t size_ = exec_env_size(from);                                                        \
        void *mem_ = NULL;                                                                         \
                                                                                                   \
        (env)->envp = (from);                                                                      \
        (env)->mapped = NULL;                                                                      \
        if (size_)                                                                                 \
            mem_ = size_ <= STACK_ENOUGH ? alloca(size_) : env_map((env), size_);                  \
        if (mem_)                                                                                  \
            (env)->envp = exec_env_make((from), mem_);                                             \
    } while (0)

static bool is_refused(const char *name, const char *why)
{
    if (why)
        report_line("tcpd: ", name, " ", why,
                    ": it cannot be run here, its TCP would be the kernel's", NULL);
    return why != NULL;
}

static bool path_refused(const char *path)
{
    return path && is_refused(path, exec_obstacle(path));
}

static bool file_refused(const char *file)
{
    char path[PATH_MAX];

    return file && exec_find(file, path) == 0 && path_refused(path);
}

int execve(const char *path, char *const argv[], char *const envp[])
{
    struct env env;
    int r;

    if (path_refused(path)) {
        errno = EACCES;
        return -1;
    }
    ENV_MAKE(&env, envp);
    r = next()->execve(path, argv, env.envp);
    env_unmap(&env);
    return r;
}

int execvpe(const char *file, char *const argv[], char *const envp[])
{
    struct env env;
    int r;

    if (file_refused(file)) {
        errno = EACCES;
        return -1;
    }
    ENV_MAKE(&env, envp);
    r = next()->execvpe(file, argv, env.envp);
    env_unmap(&env);
    return r;
}

int execv(const char *path, char *const argv[])
{
    return execve(path, argv, environ);
}

int execvp(const char *file, char *const argv[])
{
    return execvpe(file, argv, environ);
}

int fexecve(int fd, char *const argv[], char *const envp[])
{
    struct env env;
    int r;

    if (is_refused("this program", exec_obstacle_fd(fd))) {
        errno = EACCES;
        return -1;
    }
    ENV_MAKE(&env, envp);
    r = next()->fexecve(fd, argv, env.envp);
    env_unmap(&env);
    return r;
}

int execveat(int dir_fd, const char *path, char *const argv[], char *const envp[], int flags)
{
    struct env env;
    int fd, r;
    bool refused = false;

    fd = *path ? openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : dir_fd;
    if (fd >= 0)
        refused = is_refused(*path ? path : "this program", exec_obstacle_fd(fd));
    if (fd >= 0 && fd != dir_fd)
        native()->close(fd);
    if (refused) {
        errno = EACCES;
        return -1;
    }
    ENV_MAKE(&env, envp);
    r = next()->execveat(dir_fd, path, argv, env.envp, flags);
    env_unmap(&env);
    return r;
}

/* Counts the arguments up to NULL, @first included. */
static size_t args_count(const char *first, va_list ap)
{
    size_t n = 0;

    for (; first; first = va_arg(ap, const char *))
        n++;
    return n;
}

/* The variadic forms: collect the arguments on the stack; @rest runs with ap after NULL. */
#define ARGS_COLLECT(argv, first, ap)                                                              \
    do {                                                                                           \
        size_t n_, i_;                                                                             \
                                                                                                   \
        va_start(ap, first);                                                                       \
        n_ = args_count(first, ap);                                                                \
        va_end(ap);                                                                                \
        (argv) = alloca((n_ + 1) * sizeof(char *));                                                \
        (argv)[0] = (char *)(uintptr_t)(first);                                                    \
        va_start(ap, first);                                                                       \
        for (i_ = 1; i_ <= n_; i_++)                                                               \
            (argv)[i_] = va_arg(ap, char *);                                                       \
    } while (0)

int execl(const char *path, const char *arg, ...)
{
    char **argv;
    va_list ap;

    ARGS_COLLECT(argv, arg, ap);
    va_end(ap);
    return execve(path, argv, environ);
}

int execlp(const char *file, const char *arg, ...)
{
    char **argv;
    va_list ap;

    ARGS_COLLECT(argv, arg, ap);
    va_end(ap);
    return execvpe(file, argv, environ);
}

int execle(const char *path, const char *arg, ...)
{
    char **argv, *const *envp;
    va_list ap;

    ARGS_COLLECT(argv, arg, ap);
    envp = va_arg(ap, char *const *);
    va_end(ap);
    return execve(path, argv, envp);
}

int posix_spawn(pid_t *restrict pid, const char *restrict path,
                const posix_spawn_file_actions_t *restrict actions,
                const posix_spawnattr_t *restrict attr, char *const argv[restrict],
                char *const envp[restrict])
{
    struct env env;
    int r;

    if (path_refused(path))
        return EACCES;
    ENV_MAKE(&env, envp);
    r = next()->posix_spawn(pid, path, actions, attr, argv, env.envp);
    env_unmap(&env);
    return r;
}

int posix_spawnp(pid_t *restrict pid, const char *restrict file,
                 const posix_spawn_file_actions_t *restrict actions,
                 const posix_spawnattr_t *restrict attr, char *const argv[restrict],
                 char *const envp[restrict])
{
    struct env env;
    int r;

    if (file_refused(file))
        return EACCES;
    ENV_MAKE(&env, envp);
    r = next()->posix_spawnp(pid, file, actions, attr, argv, env.envp);
    env_unmap(&env);
    return r;
}

int system(const char *command)
{
    exec_env_restore();
    return next()->system(command);
}

FILE *popen(const char *command, const char *mode)
{
    exec_env_restore();
    return next()->popen(command, mode);
}
