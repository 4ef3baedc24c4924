/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs a fuzz target over files, or over all files of directories: past crashers stay tests. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data;
    struct stat st;
    size_t size;

    if (!f || stat(path, &st)) {
        perror(path);
        exit(1);
    }
    data = malloc((size_t)st.st_size + 1);
    if (!data)
        exit(1);
    size = fread(data, 1, (size_t)st.st_size, f);
    (void)fclose(f);
    printf("%s (%zu bytes)\n", path, size);
    (void)fflush(stdout); /* so that a crash is below its file's name */
    data = realloc(data, size ? size : 1);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 1;
}

static int replay_directory(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *entry;
    int files = 0;

    if (!d) {
        perror(path);
        exit(1);
    }
    while ((entry = readdir(d))) {
        char name[4096];

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        files += replay_file(name);
    }
    (void)closedir(d);
    return files;
}

int main(int argc, char **argv)
{
    int files = 0;

    for (int i = 1; i < argc; i++) {
        struct stat st;

        if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
            files += replay_directory(argv[i]);
        else
            files += replay_file(argv[i]);
    }
    printf("%d files\n", files);
    return files ? 0 : 1;
}
