/* SPDX-License-Identifier: BSD-2-Clause */
#include "exec_env.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "session.h"

#define PRELOAD "LD_PRELOAD="
#define SOCKET  "TCPD_SOCKET="

static char our_path[PATH_MAX];

/* Where we were loaded from, before the program can change its directory. */
__attribute__((constructor)) static void our_path_init(void)
{
    Dl_info info;

    if (!dladdr(our_path, &info) || !info.dli_fname || !realpath(info.dli_fname, our_path))
        our_path[0] = '\0';
}

static char *const *env_find(char *const envp[], const char *name)
{
    size_t n = strlen(name);

    for (; envp && *envp; envp++)
        if (strncmp(*envp, name, n) == 0)
            return envp;
    return NULL;
}

static bool list_has(const char *list, const char *path)
{
    size_t n = strlen(path);

    while (*list) {
        size_t len = strcspn(list, ": ");

        if (len == n && memcmp(list, path, n) == 0)
            return true;
        list += len + (list[len] != '\0');
    }
    return false;
}

static bool preload_missing(char *const envp[])
{
    char *const *have = env_find(envp, PRELOAD);

    return our_path[0] && !(have && list_has(*have + strlen(PRELOAD), our_path));
}

static bool socket_missing(char *const envp[])
{
    return session_path_given() && !env_find(envp, SOCKET);
}

size_t exec_env_size(char *const envp[])
{
    char *const *have = env_find(envp, PRELOAD);
    size_t count = 0;

    if (!preload_missing(envp) && !socket_missing(envp))
        return 0;
    while (envp && envp[count])
        count++;
    return (count + 3) * sizeof(char *) + sizeof(PRELOAD) + strlen(our_path) + 1 +
           (have ? strlen(*have) : 0) + sizeof(SOCKET) + strlen(session_path());
}

char **exec_env_make(char *const envp[], void *mem)
{
    bool add_preload = preload_missing(envp), add_socket = socket_missing(envp);
    char *const *have = env_find(envp, PRELOAD);
    char **out = mem;
    size_t count = 0, i;
    char *text;

    while (envp && envp[count])
        count++;
    text = (char *)(out + count + 3);
    for (i = 0; i < count; i++)
        if (!add_preload || envp + i != have)
            *out++ = envp[i];
    if (add_preload) {
        const char *others = have ? *have + strlen(PRELOAD) : "";

        *out++ = text;
        text += sprintf(text, PRELOAD "%s%s%s", our_path, *others ? ":" : "", others) + 1;
    }
    if (add_socket) {
        *out++ = text;
        sprintf(text, SOCKET "%s", session_path());
    }
    *out = NULL;
    return mem;
}

void exec_env_restore(void)
{
    char *const *have = env_find(environ, PRELOAD);

    if (preload_missing(environ)) {
        const char *others = have ? *have + strlen(PRELOAD) : "";
        char list[2 * PATH_MAX];

        snprintf(list, sizeof(list), "%s%s%s", our_path, *others ? ":" : "", others);
        setenv("LD_PRELOAD", list, 1);
    }
    if (socket_missing(environ))
        setenv("TCPD_SOCKET", session_path(), 1);
}
