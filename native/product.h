// One product of matrices by the panel GEMM alone, on all lanes: what the loops over time are measured against.
#pragma once
#include "steps.h"
#include "unroll.h"

namespace saiki::SAIKI_ISA {

// Rows of C [.., columns] += sum over k < depth of A[k][row] lines[k], A with `a_row` numbers from k to k; `packed` has room for one
// panel of that depth. The first one sets C.
template <class T>
void add_outer(T* c, long columns, const T* a, long a_row, Share rows, const T* const* lines, long depth, T* packed, bool first) {
  constexpr long L = lanes_of<T>, panel_columns = plain_vectors * L;
  alignas(64) T sums[max_tile_rows * panel_columns];
  const T* starts[max_tile_rows];
  Panels<T> one{nullptr, nullptr, depth, (columns + L - 1) / L, plain_vectors};
  const long tiles = (rows.end - rows.begin + one.tile() - 1) / one.tile();
  for (long p = 0; p < one.count(); ++p) {
    one.data = packed - p * panel_columns * depth;
    pack_rows(one, [&](long k) { return lines[k]; }, columns, Share(p, p + 1));
    for (long i = 0, r = rows.begin; i < tiles; ++i) {
      const long end = rows.begin + (rows.end - rows.begin) * (i + 1) / tiles;
      for (long j = r; j < end; ++j) starts[j - r] = a + j;
      multiply_for<T>(int(end - r), one.wide(p))(starts, a_row, packed, depth, nullptr, sums, panel_columns);
      for (const T* from = sums; r < end; ++r, from += panel_columns)
        for (long u = p * panel_columns, v = 0; v < one.wide(p); u += L, ++v) {
          const Vec<T> more = load(from + v * L);
          store(c + r * columns + u, first ? more : load(c + r * columns + u, columns - u) + more, columns - u);
        }
    }
  }
}

// C [rows, columns]: A B', A [rows, depth], B [columns, depth]; A B, B [depth, columns]; A' B, A [depth, rows].
template <class T> class MatrixProduct {
  static constexpr long L = lanes_of<T>, panel_columns = plain_vectors * L;
  static constexpr long chunk_bytes = 128 << 10, chunk_lines = 256;
  const Matrices& call;
  Team& team;
  Panels<T> panels;
  struct Lane {
    const T** lines;
    T* packed;  // one panel of a chunk, where B is as long as time
  };
  Lane* lanes;

 public:
  MatrixProduct(const Matrices& c, Team& t) : call(c), team(t) {
    const long total = (c.columns + L - 1) / L;
    if (!c.turned) panels = {take<T>(t, Panels<T>::size(c.depth, total)), nullptr, c.depth, total, plain_vectors};
    lanes = take<Lane>(t, t.lanes);
    for (int i = 0; i < t.lanes; ++i) lanes[i] = {take<const T*>(t, c.turned ? chunk_lines : c.rows), c.turned ? take<T>(t, chunk_lines * panel_columns) : nullptr};
  }

  void operator()(int index) {
    if (call.turned) return turned(lanes[index], Share(call.rows, index, team.lanes));
    const T* b = cast<T>(call.b);
    const Share part(panels.count(), index, team.lanes);
    if (call.across) pack_gates(panels, b, static_cast<const T*>(nullptr), 1, call.columns, part);
    else pack_rows(panels, [&](long k) { return b + k * call.columns; }, call.columns, part);
    meet(team);
    plain(lanes[index], Share(call.rows, index, team.lanes));
  }

 private:
  void plain(Lane& lane, Share rows) const {
    const long fits = chunk_bytes / (call.depth * long(sizeof(T))), chunk = fits > 4 * panels.tile() ? fits : 4 * panels.tile();
    alignas(64) T edge[max_tile_rows * panel_columns];
    for (long begin = rows.begin; begin < rows.end; begin += chunk) {
      const long n = begin + chunk < rows.end ? chunk : rows.end - begin;
      for (long i = 0; i < n; ++i) lane.lines[i] = cast<T>(call.a) + (begin + i) * call.depth;
      for (long p = 0; p < panels.count(); ++p) {
        T* c = cast<T>(call.c) + begin * call.columns + p * panel_columns;
        const long left = call.columns - p * panel_columns;
        if (left >= panels.wide(p) * L) multiply_rows(panels, p, lane.lines, 1, n, c, call.columns);
        else for (long i = 0; i < n; ++i) {
          multiply_rows(panels, p, lane.lines + i, 1, 1, edge, panel_columns);
          copy(c + i * call.columns, edge, 0, left);
        }
      }
    }
  }

  void turned(Lane& lane, Share rows) const {
    const T *a = cast<T>(call.a), *b = cast<T>(call.b);
    for (long begin = 0; begin < call.depth; begin += chunk_lines) {
      const long depth = begin + chunk_lines < call.depth ? chunk_lines : call.depth - begin;
      for (long k = 0; k < depth; ++k) lane.lines[k] = b + (begin + k) * call.columns;
      add_outer(cast<T>(call.c), call.columns, a + begin * call.rows, call.rows, rows, lane.lines, depth, lane.packed, begin == 0);
    }
  }
};

template <class T> void matrix_product(const Matrices& call, Team& team) {
  MatrixProduct<T> product(call, team);
  on_all_lanes(team, product);
}

}  // namespace saiki::SAIKI_ISA
