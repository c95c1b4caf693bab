#include "tests/reference/stream_v1.h" /* see docs/stream.md */
