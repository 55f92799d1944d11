/* measure.c -- runs a command and writes its CPU time in ms and its peak memory in KiB to stdout. A
 * program this small has to do it: the kernel counts the memory of whoever forked into a child's
 * peak, and an interpreter's is larger than what is measured here.
 *
 * usage: measure COMMAND [ARGUMENT...], whose own stdout goes nowhere; exits as it does. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static double ms(struct timeval t)
{
    return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3;
}

int main(int argc, char **argv)
{
    struct rusage usage;
    int status;
    pid_t child = argc > 1 ? fork() : -1;
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (nowhere >= 0 && dup2(nowhere, STDOUT_FILENO) >= 0)
            execv(argv[1], argv + 1);
        perror(argv[1]);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &usage) < 0) {
        perror("measure");
        return 64;
    }
    printf("%.3f %ld\n", ms(usage.ru_utime) + ms(usage.ru_stime), usage.ru_maxrss);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
