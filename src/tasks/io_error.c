/* The system's errors as result codes, and as text. */
#include "tasks/io_handle.h"

#include <uv.h>

static int code_of(int error)
{
    switch (error) {
    case UV_ENOMEM:
    case UV_ENOBUFS:
        return BROLGA_ENOMEM;
    case UV_EMFILE:
    case UV_ENFILE:
    case UV_ENOSPC:
    case UV_EFBIG:
        return BROLGA_ELIMIT;
    case UV_ENOENT:
    case UV_ENOTDIR:
    case UV_ESRCH:
        return BROLGA_ENOENT;
    case UV_EEXIST:
        return BROLGA_EEXIST;
    case UV_EADDRINUSE:
    case UV_EBUSY:
    case UV_ETXTBSY:
        return BROLGA_EBUSY;
    case UV_EACCES:
    case UV_EPERM:
    case UV_EROFS:
    case UV_ECONNREFUSED:
        return BROLGA_EREFUSED;
    case UV_EINVAL:
    case UV_EISDIR:
    case UV_ENAMETOOLONG:
        return BROLGA_EINVAL;
    case UV_EAGAIN:
        return BROLGA_EAGAIN;
    case UV_ENOTSUP:
    case UV_ENOSYS:
    case UV_EAFNOSUPPORT:
        return BROLGA_ENOTSUP;
    case UV_ENOTCONN:
        return BROLGA_ESTATE;
    default:
        return BROLGA_EIO;
    }
}

int brolga__io_fail(int error)
{
    brolga__self()->io_error = error;
    return code_of(error);
}

int brolga__io_fail_errno(int error)
{
    return brolga__io_fail(uv_translate_sys_error(error));
}

/* uv_strerror() would allocate for a number that it does not know. */
const char *brolga_io_error(void)
{
    brolga_task *task = brolga__self();

    switch (task == NULL ? 0 : task->io_error) {
    case 0:
        return "";
#define ERROR_TEXT(name, text)                                                 \
    case UV_##name:                                                            \
        return text;
        UV_ERRNO_MAP(ERROR_TEXT)
#undef ERROR_TEXT
    default:
        return "unknown error of the system";
    }
}
