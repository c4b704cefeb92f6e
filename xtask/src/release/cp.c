/* `cp FILE... DIRECTORY` of the image, which has no shell and no C library: an init container copies a plugin with it into a
 * volume of the agent. Linked statically; in C, since there is no standard library of Rust for it on every machine that builds. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int failed(const char *path)
{
    fprintf(stderr, "cp: %s: %s\n", path, strerror(errno));
    return 1;
}

static int copy(const char *from, const char *directory)
{
    char to[PATH_MAX], buffer[1 << 16];
    const char *slash = strrchr(from, '/');
    struct stat info;
    ssize_t got;
    int in, out;

    if (snprintf(to, sizeof to, "%s/%s", directory, slash ? slash + 1 : from) >= (int) sizeof to) {
        errno = ENAMETOOLONG;
        return failed(directory);
    }
    if ((in = open(from, O_RDONLY)) < 0 || fstat(in, &info) < 0) {
        return failed(from);
    }
    /* A container that starts again finds the file of its predecessor, which an agent may have loaded. */
    if (unlink(to) < 0 && errno != ENOENT) {
        return failed(to);
    }
    if ((out = open(to, O_WRONLY | O_CREAT | O_EXCL, info.st_mode & 0777)) < 0) {
        return failed(to);
    }
    while ((got = read(in, buffer, sizeof buffer)) > 0) {
        for (ssize_t done = 0; done < got;) {
            ssize_t written = write(out, buffer + done, got - done);
            if (written < 0) {
                return failed(to);
            }
            done += written;
        }
    }
    if (got < 0) {
        return failed(from);
    }
    return close(out) < 0 ? failed(to) : close(in);
}

int main(int count, char **arguments)
{
    if (count < 3) {
        fputs("usage: cp FILE... DIRECTORY\n", stderr);
        return 2;
    }
    for (int i = 1; i < count - 1; i++) {
        if (copy(arguments[i], arguments[count - 1]) != 0) {
            return 1;
        }
    }
    return 0;
}
