// What a cell sees of one step: the rows of one lane, and the operations they share: products, layer norm, sums over rows.
#pragma once
#include "steps.h"
#include "unroll.h"

namespace saiki::SAIKI_ISA {

// body(u, left) for every vector of units, `left` being a constant but for the last one.
template <class T, class Body> SAIKI_INLINE void each_unit(long width, Body body) {
  constexpr long L = lanes_of<T>;
  long u = 0;
  for (; u + L <= width; u += L) body(u, L);
  if (u < width) body(u, width - u);
}

template <class T> SAIKI_INLINE void add(T* to, Vec<T> v, long left) { store(to, load(to, left) + v, left); }

template <class T> SAIKI_INLINE T total(Vec<T> v) {
  T sum = 0;
  for (long i = 0; i < lanes_of<T>; ++i) sum += v[i];
  return sum;
}

// y = (x - mean) / deviation; gives 1 / deviation. Numbers past n are never touched.
template <class T> T normalise(const T* x, T* y, long n) {
  using V = Vec<T>;
  V sum = {}, square = {};
  each_unit<T>(n, [&](long u, long left) SAIKI_LAMBDA { sum += load(x + u, left); });
  const T mean = total<T>(sum) / T(n);
  each_unit<T>(n, [&](long u, long left) SAIKI_LAMBDA {
    const V d = load(x + u, left) - mean;
    store(y + u, d, left);
    const V kept = load(y + u, left);  // zero past the end
    square += kept * kept;
  });
  const T scale = T(1) / T(__builtin_sqrt(double(total<T>(square) / T(n) + T(1e-5))));  // as torch.nn.LayerNorm
  each_unit<T>(n, [&](long u, long left) SAIKI_LAMBDA { store(y + u, load(y + u, left) * scale, left); });
  return scale;
}

// The gradient through it: dx = scale (dy - mean(dy) - y mean(dy y)), dy = g gain; dx may be g.
template <class T> void normalise_back(const T* y, T scale, const T* g, const T* gain, T* dx, long n) {
  using V = Vec<T>;
  V sum = {}, along = {};
  each_unit<T>(n, [&](long u, long left) SAIKI_LAMBDA {
    const V d = load(g + u, left) * load(gain + u, left);
    sum += d, along += d * load(y + u, left);
  });
  const T mean = total<T>(sum) / T(n), slope = total<T>(along) / T(n);
  each_unit<T>(n, [&](long u, long left) SAIKI_LAMBDA {
    store(dx + u, (load(g + u, left) * load(gain + u, left) - mean - load(y + u, left) * slope) * scale, left);
  });
}

// Memory of one lane.
template <class T> struct StepLane {
  long first, stride;
  T *result, *carry, *saved;  // of a product, [rows, result_row]; of states, [rows, all states]; [rows, saved row] where none is kept
  T* entered[max_products];   // [rows, depth] where none is kept
  const T** lines;
  T *sums, *step_sums;        // of biases, gains and vectors: all steps so far; this step
};

template <class T> struct StepSizes {
  long states, result_row, rows_most, sums, saved_row, norm[max_products], transition, bias_at[max_products], gain_at[max_products], vector_at[max_vectors_of_cell];

  // A row of `saved` is: what the cell keeps; per product with a gain, the normalised result and its scale; outputs of transitions.
  StepSizes(const Steps& c, int parts, long kept) : states(0), result_row(0), rows_most(c.batch.rows), sums(0), saved_row(kept) {
    for (int s = 0; s < parts; ++s) states += c.size[s];
    for (int k = 0; k < c.products; ++k) {
      const Product& p = c.product[k];
      norm[k] = saved_row;
      if (p.gain) saved_row += p.rows + 1;
      const long most = p.rows > p.depth ? p.rows : p.depth;
      if (most > result_row) result_row = most;
      bias_at[k] = sums, gain_at[k] = sums + p.rows, sums += 2 * p.rows;
    }
    for (int v = 0; v < max_vectors_of_cell; ++v) vector_at[v] = sums, sums += c.vector_size[v];
    transition = saved_row;
    saved_row += c.transitions * c.size[0];
    result_row = padded<T>(result_row) + 64 / long(sizeof(T));  // vectors may be read a little past the end
  }
};

template <class T> struct StepRows {
  const Steps& call;
  const StepSizes<T>& sizes;
  StepLane<T>& lane;
  const Panels<T>* panels;  // of every product: W transposed, backward W
  long p, n;

  long row(long j) const { return lane.first + j * lane.stride; }
  long at(long j) const { return call.batch.row(p) + row(j); }
  const T* x(long j) const { return cast<T>(call.gates) + at(j) * call.columns; }
  T* dx(long j) const { return cast<T>(call.dgates) + at(j) * call.columns; }
  T* state(int s, long j) const { return cast<T>(call.final[s]) + row(j) * call.size[s]; }
  T* dstate(int s, long j) const { return cast<T>(call.dinitial[s]) + row(j) * call.size[s]; }
  T* kept(long j) const { return call.saved ? cast<T>(call.saved) + at(j) * sizes.saved_row : lane.saved + j * sizes.saved_row; }
  T* result(long j) const { return lane.result + j * sizes.result_row; }
  T* carry(long j) const { return lane.carry + j * sizes.states; }
  const T* mask(long j, long units) const { return call.mask ? cast<T>(call.mask) + row(j) * units : nullptr; }
  const T* zones(long j) const { return cast<T>(call.zones) + at(j) * call.zone_row; }
  const T* vector(int v) const { return cast<T>(call.vector[v]); }
  T* sum(int v) const { return lane.step_sums + sizes.vector_at[v]; }
  T* entered(int k, long j) const {
    const Product& of = call.product[k];
    return of.entered ? cast<T>(of.entered) + at(j) * of.depth : lane.entered[k] + j * of.depth;
  }
  // Where the gradient of what product k gave (its layer norm and bias included) is written.
  T* gradient(int k, long j) const {
    const Product& of = call.product[k];
    return of.shared >= 0 ? dx(j) + of.shared : cast<T>(of.gradient) + at(j) * of.rows;
  }

  // Enters a part of the state, masked by state dropout, and multiplies.
  void recur(int k, int s) const {
    for (long j = 0; j < n; ++j) {
      const long units = call.product[k].depth;
      const T *from = state(s, j), *kept = mask(j, units);
      T* to = entered(k, j);
      if (kept) each_unit<T>(units, [&](long u, long left) SAIKI_LAMBDA { store(to + u, load(from + u, left) * load(kept + u, left), left); });
      else copy(to, from, 0, units);
    }
    multiply(k);
  }

  // The product of what was entered; `result` has it, behind layer norm and bias.
  void multiply(int k) const {
    const Product& of = call.product[k];
    for (long j = 0; j < n; ++j) lane.lines[j] = entered(k, j);
    for (long q = 0; q < panels[k].count(); ++q)
      multiply_rows(panels[k], q, lane.lines, 1, n, lane.result + q * panels[k].vectors * lanes_of<T>, sizes.result_row);
    if (!of.gain) return;
    for (long j = 0; j < n; ++j) {
      T *norm = kept(j) + sizes.norm[k], *r = result(j);
      norm[of.rows] = normalise(r, norm, of.rows);
      const T *gain = cast<T>(of.gain), *bias = cast<T>(of.bias);
      each_unit<T>(of.rows, [&](long u, long left) SAIKI_LAMBDA {
        store(r + u, load(norm + u, left) * load(gain + u, left) + (bias ? load(bias + u, left) : Vec<T>{}), left);
      });
    }
  }

  // From `gradient` to that of what was entered, in `result`; `masked` as in `recur`.
  void back(int k, bool masked) const {
    const Product& of = call.product[k];
    for (long j = 0; j < n; ++j) {
      const T* g = gradient(k, j);
      lane.lines[j] = g;
      if (of.dbias) sum_rows(lane.step_sums + sizes.bias_at[k], g, of.rows);
      if (!of.gain) continue;
      const T* norm = kept(j) + sizes.norm[k];
      T *dgain = lane.step_sums + sizes.gain_at[k], *own = cast<T>(of.gradient) + at(j) * of.rows;
      each_unit<T>(of.rows, [&](long u, long left) SAIKI_LAMBDA { add(dgain + u, load(g + u, left) * load(norm + u, left), left); });
      normalise_back(norm, norm[of.rows], g, cast<T>(of.gain), own, of.rows);
      lane.lines[j] = own;
    }
    for (long q = 0; q < panels[k].count(); ++q)
      multiply_rows(panels[k], q, lane.lines, 1, n, lane.result + q * panels[k].vectors * lanes_of<T>, sizes.result_row);
    if (!masked || !call.mask) return;
    for (long j = 0; j < n; ++j) {
      const T* kept = mask(j, of.depth);
      T* r = result(j);
      each_unit<T>(of.depth, [&](long u, long left) SAIKI_LAMBDA { store(r + u, load(r + u, left) * load(kept + u, left), left); });
    }
  }

  // `back`, and its result added to the gradient of a part of the state.
  void recur_back(int k, int s) const {
    back(k, true);
    for (long j = 0; j < n; ++j) sum_rows(dstate(s, j), result(j), call.product[k].depth);
  }

  static void sum_rows(T* to, const T* from, long count) {
    each_unit<T>(count, [&](long u, long left) SAIKI_LAMBDA { add(to + u, load(from + u, left), left); });
  }
};

}  // namespace saiki::SAIKI_ISA
