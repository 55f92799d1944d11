#include "compress.h"

#include <limits.h>
#include <zlib.h>
#include <zstd.h>

/* Log text compresses tenfold at the lowest levels; a higher one costs several times the CPU of the
 * rest of the run for a few per cent less on the wire. */
#define GZIP_LEVEL 1
#define ZSTD_LEVEL 1

int compress_gzip(struct bytes in, struct buf *out, struct error *err)
{
    z_stream z = { 0 };
    if (in.len > UINT_MAX / 2 ||
        deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return error_set(err, ERR_BUG, "gzip: cannot begin");
    uLong bound = deflateBound(&z, (uLong)in.len);
    int rc = Z_MEM_ERROR;
    if (buf_reserve(out, bound)) {
        z.next_in = (z_const Bytef *)in.data;
        z.avail_in = (uInt)in.len;
        z.next_out = (Bytef *)out->data + out->len;
        z.avail_out = (uInt)bound;
        rc = deflate(&z, Z_FINISH);
        out->len += z.total_out;
        out->data[out->len] = '\0';
    }
    deflateEnd(&z);
    return rc == Z_STREAM_END ? 0 : error_set(err, ERR_BUG, "gzip: failed with %d", rc);
}

int compress_zstd(struct bytes in, struct buf *out, struct error *err)
{
    size_t bound = ZSTD_compressBound(in.len);
    if (!buf_reserve(out, bound))
        return error_set(err, ERR_BUG, "zstd: no room for %zu bytes", bound);
    size_t len = ZSTD_compress(out->data + out->len, bound, in.data, in.len, ZSTD_LEVEL);
    if (ZSTD_isError(len))
        return error_set(err, ERR_BUG, "zstd: %s", ZSTD_getErrorName(len));
    out->len += len;
    out->data[out->len] = '\0';
    return 0;
}
