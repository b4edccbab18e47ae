#pragma once

/// Marks what the shared library shows; everything else stays hidden.
#if defined(_WIN32)
#define REPRISE_API
#else
#define REPRISE_API __attribute__((visibility("default")))
#endif

/// Code that runs on the host and on a CUDA device.
#if defined(__CUDACC__)
#define REPRISE_HD __host__ __device__
#else
#define REPRISE_HD
#endif
