// All kernels, compiled once per instruction set: SAIKI_ISA names it and the compiler flags choose it.
#include "kernels.h"

#include <time.h>

#include "backward.h"
#include "elman.h"
#include "forward.h"
#include "gru.h"
#include "lstm.h"
#include "reservoir.h"
#include "scan.h"
#include "stream.h"

namespace saiki::SAIKI_ISA {

template <class Cell> long saved_row(const Call& call) { return Sizes<Cell>(call).saved_row(); }

template <class Cell> constexpr CellKernels cell = {
    Cell::gates,         Cell::states,        saved_row<Cell>,    forward<Cell>,      backward<Cell>,
    Stream<Cell>::bytes, Stream<Cell>::begin, Stream<Cell>::push, Stream<Cell>::state};

static double now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

template <class T> double rate(double seconds) {
  constexpr int rows = tile_rows<plain_vectors>;
  constexpr long depth = 64, columns = plain_vectors * lanes_of<T>;
  alignas(64) static T a[rows][depth], b[depth * columns], c[rows * columns];
  const T* lines[rows];
  for (int i = 0; i < rows; ++i) lines[i] = a[i];
  double best = 0;
  for (const double end = now() + seconds; now() < end;) {
    constexpr int calls = 2000;
    const double begin = now();
    for (int i = 0; i < calls; ++i) multiply<T, rows, plain_vectors>(lines, 1, b, depth, nullptr, c, columns);
    const double reached = 2e-9 * calls * rows * depth * columns / (now() - begin);
    if (reached > best) best = reached;
  }
  return best;
}

#define SAIKI_NAME_(x) #x
#define SAIKI_NAME(x) SAIKI_NAME_(x)

extern const Kernels kernels;
const Kernels kernels = {SAIKI_NAME(SAIKI_ISA),
                         SAIKI_VECTOR_BYTES,
                         {{cell<ElmanTanh<float>>, cell<ElmanTanh<double>>},
                          {cell<ElmanRelu<float>>, cell<ElmanRelu<double>>},
                          {cell<Lstm<float>>, cell<Lstm<double>>},
                          {cell<Gru<float>>, cell<Gru<double>>}},
                         {scan_forward<float>, scan_forward<double>},
                         {scan_backward<float>, scan_backward<double>},
                         {reservoir<float>, reservoir<double>},
                         {rate<float>, rate<double>}};

}  // namespace saiki::SAIKI_ISA
