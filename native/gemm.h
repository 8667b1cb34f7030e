// Panel GEMM: C[m, n] = A[m, k] B[k, n], with B cut into panels a few vectors wide that lie contiguously in memory.
//
// A tile of C stays in registers while k runs; A is read number by number through one pointer per row, so its rows may
// lie anywhere (rows of a ragged batch, or columns of a transposed matrix) and it is never packed or transposed.
#pragma once
#include "math.h"

namespace saiki::SAIKI_ISA {

// Registers bound a tile: rows * vectors accumulators + vectors of B + one broadcast number.
#if SAIKI_VECTOR_BYTES == 64 || defined(__aarch64__)
constexpr int max_vectors = 4;
template <int NV> constexpr int tile_rows = NV == 4 ? 6 : 8;
#else
constexpr int max_vectors = 3;
template <int NV> constexpr int tile_rows = NV == 3 ? 4 : 6;
#endif
constexpr int max_tile_rows = 8;

// C[MR, NV vectors] = start (one row, or zero) + sum over k of A[i][k * step] * B[k].
template <class T, int MR, int NV>
void multiply(const T* const* a, long step, const T* __restrict b, long depth, const T* start, T* __restrict c, long ldc) {
  constexpr long L = lanes_of<T>;
  Vec<T> sum[MR][NV];
  for (int j = 0; j < NV; ++j) {
    const Vec<T> s = start ? load(start + j * L) : Vec<T>{};
    for (int i = 0; i < MR; ++i) sum[i][j] = s;
  }
  const T* row[MR];
  for (int i = 0; i < MR; ++i) row[i] = a[i];
  long at = 0;
  for (long k = 0; k < depth; ++k, at += step, b += NV * L) {
    Vec<T> line[NV];
    for (int j = 0; j < NV; ++j) line[j] = load(b + j * L);
    for (int i = 0; i < MR; ++i) {
      const Vec<T> number = Vec<T>{} + row[i][at];
      for (int j = 0; j < NV; ++j) sum[i][j] += number * line[j];
    }
  }
  for (int i = 0; i < MR; ++i)
    for (int j = 0; j < NV; ++j) store(c + i * ldc + j * L, sum[i][j]);
}

template <class T> using Multiply = void (*)(const T* const*, long, const T*, long, const T*, T*, long);

template <class T> SAIKI_INLINE Multiply<T> multiply_for(int rows, int vectors) {
#define SAIKI_ROW(NV) \
  {multiply<T, 1, NV>, multiply<T, 2, NV>, multiply<T, 3, NV>, multiply<T, 4, NV>, multiply<T, 5, NV>, multiply<T, 6, NV>, multiply<T, 7, NV>, multiply<T, 8, NV>}
  static constexpr Multiply<T> table[4][max_tile_rows] = {SAIKI_ROW(1), SAIKI_ROW(2), SAIKI_ROW(3), SAIKI_ROW(4)};
#undef SAIKI_ROW
  return table[vectors - 1][rows - 1];
}

// B in panels. Every panel but the last is `vectors` wide; panel p begins at p * vectors * lanes * depth.
template <class T> struct Panels {
  T* data;
  T* start;       // one row of C's first values (the biases), or null
  long depth;     // k
  long total;     // vectors in a row of C
  int vectors;    // vectors in a panel
  long count() const { return (total + vectors - 1) / vectors; }
  int wide(long p) const { return int(total - p * vectors < vectors ? total - p * vectors : vectors); }
  T* panel(long p) const { return data + p * vectors * lanes_of<T> * depth; }
  const T* begin(long p) const { return start ? start + p * vectors * lanes_of<T> : nullptr; }
  static long size(long depth, long total) { return depth * total * lanes_of<T>; }
  int tile() const { return vectors == 4 ? tile_rows<4> : vectors == 3 ? tile_rows<3> : tile_rows<2>; }
};

// C[rows, panel p] for any number of rows, tiles as even as they can be.
template <class T> SAIKI_INLINE void multiply_rows(const Panels<T>& b, long p, const T* const* a, long step, long rows, T* c, long ldc) {
  const long tiles = (rows + b.tile() - 1) / b.tile();
  for (long i = 0, begin = 0; i < tiles; ++i) {
    const long end = rows * (i + 1) / tiles;
    multiply_for<T>(int(end - begin), b.wide(p))(a + begin, step, b.panel(p), b.depth, b.begin(p), c + begin * ldc, ldc);
    begin = end;
  }
}

// Share `lane` of `lanes` of n things: first and past-the-last.
struct Share {
  long begin, end;
  Share(long from, long to) : begin(from), end(to) {}
  Share(long n, int lane, int lanes) : begin(n * lane / lanes), end(n * (lane + 1) / lanes) {}
};

// Column vector j of panels made from weights [gates * width, depth] (row-major): gate j % gates of unit vector
// j / gates, so that all gates of a unit come out of neighbouring registers.
template <class T> void pack_gates(const Panels<T>& to, const T* weight, const T* bias, int gates, long width, Share panels) {
  constexpr long L = lanes_of<T>;
  T block[L][L];
  for (long p = panels.begin; p < panels.end; ++p) {
    const long stride = to.wide(p) * L;
    for (int j = 0; j < to.wide(p); ++j) {
      const long column = p * to.vectors + j, gate = column % gates, unit = column / gates * L;
      const long units = width - unit < L ? width - unit : L;
      const T* from = weight + (gate * width + unit) * to.depth;
      for (long k = 0; k < to.depth; k += L) {
        const long deep = to.depth - k < L ? to.depth - k : L;
        for (long u = 0; u < L; ++u) {
          const Vec<T> v = u < units ? load(from + u * to.depth + k, deep) : Vec<T>{};
          std::memcpy(block[u], &v, sizeof v);
        }
        T* out = to.panel(p) + k * stride + j * L;
        for (long d = 0; d < deep; ++d)
          for (long u = 0; u < L; ++u) out[d * stride + u] = block[u][d];
      }
      if (to.start)
        for (long u = 0; u < L; ++u) to.start[column * L + u] = bias && u < units ? bias[gate * width + unit + u] : T(0);
    }
  }
}

// Panels whose line k is row(k), `width` numbers long; a null row is a line of zeros.
template <class T, class Row> void pack_rows(const Panels<T>& to, Row row, long width, Share panels) {
  constexpr long L = lanes_of<T>;
  for (long p = panels.begin; p < panels.end; ++p) {
    const int wide = to.wide(p);
    T* out = to.panel(p);
    const long first = p * to.vectors * L;
    for (long k = 0; k < to.depth; ++k, out += wide * L) {
      const T* from = row(k);
      for (int j = 0; j < wide; ++j) store(out + j * L, from ? load(from + first + j * L, width - first - j * L) : Vec<T>{});
    }
  }
}

}  // namespace saiki::SAIKI_ISA
