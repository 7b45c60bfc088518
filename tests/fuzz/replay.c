/*
 * Runs a fuzzer's function over files and folders of files, once each: how a
 * kept corpus is replayed by the tests, without a fuzzer's run time.
 *
 *   fuzz_x_replay FILE-OR-FOLDER...
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define INPUT_MAX 65536

static unsigned runs;

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(INPUT_MAX);
    size_t bytes;

    if (file == NULL || data == NULL) {
        perror(path);
        exit(1);
    }
    bytes = fread(data, 1, INPUT_MAX, file);
    (void)fclose(file);
    /* An exact block, so that a sanitizer sees reads past the end. */
    data = realloc(data, bytes > 0 ? bytes : 1);
    (void)LLVMFuzzerTestOneInput(data, bytes);
    free(data);
    runs++;
}

static void replay(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;

    if (folder == NULL) {
        replay_file(path);
        return;
    }
    while ((entry = readdir(folder)) != NULL) {
        char file[4096];

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        replay_file(file);
    }
    (void)closedir(folder);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%u inputs\n", runs);
    return runs > 0 ? 0 : 1; /* A test that ran nothing has failed. */
}
