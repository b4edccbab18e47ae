// A second unit with the same header: whatever it defines must be inline.
#include <reprise/reprise.h>

reprise::Tensor twice(const reprise::Tensor& x) { return x + x; }
