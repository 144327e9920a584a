/* Loaded before libc: each read of one file is told to a function first, which makes it fail or
   does something to the file. Other files are read as ever. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* Takes where a read begins and how much is wanted, in bytes; -1: where the file stands. Returns
   the number of the error that the read ends with, or 0: it is made. */
typedef int (*told_t)(long long offset, long long length);

static told_t told;
static unsigned long long device, inode;

void watch_reads(unsigned long long of_device, unsigned long long of_inode, told_t tell)
{
    device = of_device;
    inode = of_inode;
    told = tell;
}

static int failure(int file, long long offset, size_t length)
{
    struct stat found;

    if (!told || fstat(file, &found) || found.st_dev != device || found.st_ino != inode)
        return 0;
    return told(offset, (long long)length);
}

#define WRAPPED(name, parameters, offset, arguments)                                              \
    ssize_t name parameters                                                                       \
    {                                                                                             \
        static ssize_t(*real) parameters;                                                         \
        int number = failure(file, offset, length);                                               \
                                                                                                  \
        if (number) {                                                                             \
            errno = number;                                                                       \
            return -1;                                                                            \
        }                                                                                         \
        if (!real)                                                                                \
            *(void **)&real = dlsym(RTLD_NEXT, #name);                                            \
        return real arguments;                                                                    \
    }

WRAPPED(read, (int file, void *buffer, size_t length), -1, (file, buffer, length))
WRAPPED(pread, (int file, void *buffer, size_t length, off_t at), at, (file, buffer, length, at))
WRAPPED(pread64, (int file, void *buffer, size_t length, off64_t at), at, (file, buffer, length, at))
