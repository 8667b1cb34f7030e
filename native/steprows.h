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

// The mean of `count` of what term(u, left) gives for every vector of units, in four sums side by side, added up in double: what
// follows is divided by a deviation that may be far smaller than the numbers.
template <class T, class Term> SAIKI_INLINE T mean_of(long count, Term term) {
  constexpr long L = lanes_of<T>;
  Vec<T> sums[4] = {};
  long u = 0;
  for (; u + 4 * L <= count; u += 4 * L)
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) sums[i] += term(u + i * L, L);
  for (; u < count; u += L) sums[0] += term(u, count - u < L ? count - u : L);
  const Vec<T> some = sums[0] + sums[1], more = sums[2] + sums[3];
  double sum = 0;
#pragma GCC unroll 16
  for (long i = 0; i < L; ++i) sum += double(some[i] + more[i]);
  return T(sum / double(count));
}

// y = (x - mean) / deviation; gives 1 / deviation. Numbers past n are never touched.
template <class T> T normalise(const T* x, T* y, long n) {
  using V = Vec<T>;
  const T mean = mean_of<T>(n, [&](long u, long left) SAIKI_LAMBDA { return load(x + u, left); });
  const T square = mean_of<T>(n, [&](long u, long left) SAIKI_LAMBDA {
    V d = load(x + u, left) - mean;
    store(y + u, d, left);
    if (left < lanes_of<T>) d = load(y + u, left);  // zero past the end
    return d * d;
  });
  const T scale = T(1 / __builtin_sqrt(double(square) + 1e-5));  // as torch.nn.LayerNorm
  each_unit<T>(n, [&](long u, long left) SAIKI_LAMBDA { store(y + u, load(y + u, left) * scale, left); });
  return scale;
}

// The gradient through it: dx = scale (dy - mean(dy) - y mean(dy y)), dy = g gain; dx may be g.
template <class T> void normalise_back(const T* y, T scale, const T* g, const T* gain, T* dx, long n) {
  auto dy = [&](long u, long left) SAIKI_LAMBDA { return load(g + u, left) * load(gain + u, left); };
  const T mean = mean_of<T>(n, dy), slope = mean_of<T>(n, [&](long u, long left) SAIKI_LAMBDA { return dy(u, left) * load(y + u, left); });
  each_unit<T>(n, [&](long u, long left) SAIKI_LAMBDA { store(dx + u, (dy(u, left) - mean - load(y + u, left) * slope) * scale, left); });
}

// Memory of one lane.
template <class T> struct StepLane {
  // Its rows: of equally long ones a block, so that lanes write to places far apart; else one by one in turn, so that work is even.
  long first, past, stride;
  long rows_of(long count) const {  // of the first count
    const long last = count < past ? count : past;
    return last > first ? (last - first + stride - 1) / stride : 0;
  }
  T *result, *carry, *saved;  // of a product, [rows, result_row]; of states, [rows, all states]; [rows, saved row] where none is kept
  T* entered[max_products];   // [rows, depth] where none is kept
  const T** lines;
  T *sums, *step_sums;        // of biases, gains and vectors: all steps so far; the last ones
  long summed;                // rows of the last ones
  const T* zeros;             // as long as a row of y
  // Of a chunk of time, whose rows are numbered as they are visited:
  T *gates, *own[max_products];  // gates, backward their gradients, [rows, gates_row]; gradients of products that have their own
  long chunk_rows, *places;      // rows it has, of a row its packed row
  const T** chunk_lines;
  T* packed;
  T *dinput, *dproduct[max_products];  // gradients of the weights so far
};

template <class T> struct StepSizes {
  long up, states, result_row, sums, saved_row, norm[max_products], transition, bias_at[max_products], gain_at[max_products], vector_at[max_vectors_of_cell];
  long gates_row, own_row[max_products], input_norm, input_bias_at, input_gain_at;

  static long vectors(long n) { return (n + lanes_of<T> - 1) / lanes_of<T>; }

  // A row of `saved` is: what the cell keeps; per product with a gain, the normalised result and its scale; outputs of transitions;
  // the same of the input.
  StepSizes(const Steps& c, int parts, int outputs, long kept) : up(0), states(0), result_row(0), sums(0), saved_row(kept) {
    for (int s = 0; s < parts; ++s) states += c.size[s];
    for (int s = 0; s < outputs; ++s) up += c.size[s];
    for (int k = 0; k < c.products; ++k) {
      const Product& p = c.product[k];
      norm[k] = saved_row;
      if (p.gain) saved_row += p.rows + 1;
      const long most = p.rows > p.depth ? p.rows : p.depth;
      if (most > result_row) result_row = most;
      bias_at[k] = sums, gain_at[k] = sums + p.rows, sums += 2 * p.rows;
      own_row[k] = p.gain || p.shared < 0 ? spread<T>(vectors(p.rows) * lanes_of<T>) : 0;
    }
    for (int v = 0; v < max_vectors_of_cell; ++v) vector_at[v] = sums, sums += c.vector_size[v];
    transition = saved_row;
    saved_row += c.transitions * c.size[0];
    input_norm = saved_row;
    if (c.input.gain) saved_row += c.columns + 1;
    gates_row = spread<T>(vectors(c.columns) * lanes_of<T>);
    input_bias_at = sums, input_gain_at = sums + c.columns, sums += 2 * c.columns;
    result_row = padded<T>(result_row) + 64 / long(sizeof(T));  // vectors may be read a little past the end
  }
};

template <class T> struct StepRows {
  const Steps& call;
  const StepSizes<T>& sizes;
  StepLane<T>& lane;
  const Panels<T>* panels;  // of every product: W transposed, backward W
  long p, n;
  long base;  // number of row 0 in the chunk

  long row(long j) const { return lane.first + j * lane.stride; }
  long at(long j) const { return call.batch.row(p) + row(j); }
  const T* input(long j) const { return cast<T>(call.input.x) + at(j) * call.input.features; }
  T* dinput(long j) const { return call.input.dx ? cast<T>(call.input.dx) + at(j) * call.input.features : nullptr; }
  T* x(long j) const { return lane.gates + (base + j) * sizes.gates_row; }
  T* dx(long j) const { return x(j); }
  T* own(int k, long j) const { return lane.own[k] + (base + j) * sizes.own_row[k]; }
  T* y(long j) const { return cast<T>(call.y) + at(j) * sizes.up; }
  // Of a cell that reads it itself; where something is behind the cell, the loop has added what comes back from there.
  const T* dy(long j) const { return call.dy && !call.changed() ? cast<T>(call.dy) + at(j) * sizes.up : lane.zeros; }
  bool began(long j) const { return row(j) < call.batch.count(p - 1); }
  long at_before(long j) const { return call.batch.row(p - 1) + row(j); }
  const T* initial(int s, long j) const { return call.initial[s] ? cast<T>(call.initial[s]) + row(j) * call.size[s] : lane.zeros; }
  // The state before the step, of a part that goes up and begins at a column of y.
  const T* before(int s, long column, long j) const { return began(j) ? cast<T>(call.y) + at_before(j) * sizes.up + column : initial(s, j); }
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
    return of.shared >= 0 ? dx(j) + of.shared : own(k, j);
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
    for (long j = 0; of.gain && j < n; ++j) norm(result(j), kept(j) + sizes.norm[k], cast<T>(of.gain), cast<T>(of.bias), of.rows);
  }

  // Layer norm of a row in place; `kept` has the row before the gain, and its scale behind it.
  static void norm(T* row, T* kept, const T* gain, const T* bias, long count) {
    kept[count] = normalise(row, kept, count);
    each_unit<T>(count, [&](long u, long left) SAIKI_LAMBDA {
      store(row + u, load(kept + u, left) * load(gain + u, left) + (bias ? load(bias + u, left) : Vec<T>{}), left);
    });
  }
  static void norm_back(const T* kept, const T* gain, T* dgain, const T* g, T* to, long count) {
    each_unit<T>(count, [&](long u, long left) SAIKI_LAMBDA { add(dgain + u, load(g + u, left) * load(kept + u, left), left); });
    normalise_back(kept, kept[count], g, gain, to, count);
  }

  // Layer norm of the projected input, and from the gradient of the gates to that of W x.
  void see() const {
    const Input& of = call.input;
    for (long j = 0; of.gain && j < n; ++j) norm(x(j), kept(j) + sizes.input_norm, cast<T>(of.gain), cast<T>(of.bias), call.columns);
  }
  void see_back() const {
    const Input& of = call.input;
    for (long j = 0; of.gain && j < n; ++j) {
      if (of.dbias) sum_rows(lane.step_sums + sizes.input_bias_at, dx(j), call.columns);
      norm_back(kept(j) + sizes.input_norm, cast<T>(of.gain), lane.step_sums + sizes.input_gain_at, dx(j), dx(j), call.columns);
    }
  }

  // From `gradient` to that of what was entered, in `result`; `masked` as in `recur`.
  void back(int k, bool masked) const {
    const Product& of = call.product[k];
    for (long j = 0; j < n; ++j) {
      const T* g = gradient(k, j);
      lane.lines[j] = g;
      if (!of.gain) continue;
      if (of.dbias) sum_rows(lane.step_sums + sizes.bias_at[k], g, of.rows);
      T* back = own(k, j);
      norm_back(kept(j) + sizes.norm[k], cast<T>(of.gain), lane.step_sums + sizes.gain_at[k], g, back, of.rows);
      lane.lines[j] = back;
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
