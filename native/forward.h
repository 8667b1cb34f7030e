// The forward time loop, for any cell: project a chunk of time, then step through it with the gate maths fused into the
// recurrent product. The projection of a chunk stays in the second-level cache.
#pragma once
#include "unroll.h"

namespace saiki::SAIKI_ISA {

template <class Cell> class Forward {
  using T = typename Cell::Scalar;
  using V = Vec<T>;
  static constexpr long L = lanes_of<T>;
  using S = Sizes<Cell>;
  static constexpr long group_columns = S::units_per_group * Cell::gates * L;
  static constexpr long chunk_bytes = 256 << 10;

  // Where one row of the batch reads and writes at one step.
  struct Row {
    const T* before;
    T *after, *y, *saved, *memory[max_states];
  };
  struct Lane {
    Part part;
    T* projected;                 // [chunk rows, columns of this lane]
    long columns;                 // numbers in a row of it
    const T **x, **before;        // rows of the chunk; states before the step
    Row* rows;                    // of the step
  };

  const Call& call;
  const Batch& batch;
  Team& team;
  const S size;
  const bool by_units;
  Panels<T> input, recurrent;
  const long stride;
  T* hidden[2];           // the first state before and after a step, in turn, [batch, stride]
  T* memory[max_states];  // the others, [batch, size.row]
  long chunk_rows;
  Lane* lanes;

 public:
  Forward(const Call& c, Team& t)
      : call(c), batch(c.batch), team(t), size(c), by_units(c.by_units), stride(spread<T>(size.row)) {
    input = panels(size.features);
    recurrent = panels(size.width);
    for (T*& h : hidden) h = take<T>(team, batch.rows * stride);
    for (int s = 1; s < Cell::states; ++s) memory[s] = take<T>(team, batch.rows * size.row);
    const long most = (batch.rows + (by_units ? 0 : team.lanes - 1)) / (by_units ? 1 : team.lanes);
    const long groups = by_units ? (size.groups() + team.lanes - 1) / team.lanes : size.groups();
    const long fits = chunk_bytes / (groups * group_columns * long(sizeof(T)));
    chunk_rows = fits > most ? fits : most;
    if (chunk_rows > batch.offsets[batch.time]) chunk_rows = batch.offsets[batch.time];
    lanes = take<Lane>(team, team.lanes);
    for (int i = 0; i < team.lanes; ++i) {
      Lane& lane = lanes[i];
      lane = {part_of(by_units, size.groups(), i, team.lanes), nullptr, 0, nullptr, nullptr, nullptr};
      lane.columns = (lane.part.units.end - lane.part.units.begin) * group_columns;
      lane.projected = take<T>(team, chunk_rows * lane.columns);
      lane.x = take<const T*>(team, chunk_rows);
      lane.before = take<const T*>(team, most + 1);
      lane.rows = take<Row>(team, most + 1);
    }
  }

  void operator()(int index) {
    const Share packed(recurrent.count(), index, team.lanes);
    pack_gates(input, cast<T>(call.weight_ih), cast<T>(call.bias_ih), Cell::gates, size.width, packed);
    pack_gates(recurrent, cast<T>(call.weight_hh), cast<T>(call.bias_hh), Cell::gates, size.width, packed);
    Lane& lane = lanes[index];
    begin(lane);
    clear_padding<T>(batch, call.y, size.width, Share(batch.padded, index, team.lanes));
    meet(team);
    for (long p = 0; p < batch.time;) p = chunk(lane, p);
  }

 private:
  Panels<T> panels(long depth) {
    const long total = size.units * Cell::gates;
    return {take<T>(team, Panels<T>::size(depth, total)), take<T>(team, total * L), depth, total, S::vectors};
  }

  long first_unit(const Lane& lane) const { return lane.part.units.begin * S::units_per_group; }
  long past_unit(const Lane& lane) const {
    const long end = lane.part.units.end * S::units_per_group;
    return end < size.units ? end : size.units;
  }
  long past_number(const Lane& lane) const {
    const long end = past_unit(lane) * L;
    return end < size.width ? end : size.width;
  }

  void begin(Lane& lane) {
    const long from = first_unit(lane) * L, to = past_number(lane);
    for (long j = 0; j < lane.part.rows(batch.rows); ++j) {
      const long b = lane.part.row(j);
      const bool empty = b >= (batch.time ? batch.counts[0] : 0);
      for (int s = 0; s < Cell::states; ++s) {
        const T* initial = cast<T>(call.initial[s]) + batch.origins[b] * size.width;
        if (empty) copy(cast<T>(call.final[s]) + batch.origins[b] * size.width, initial, from, to);
        for (long u = first_unit(lane) * L; u < past_unit(lane) * L; u += L) {
          const V v = load(initial + u, size.width - u);
          if (s) store(memory[s] + b * size.row + u, v);
          else store(hidden[0] + b * stride + u, v), store(hidden[1] + b * stride + u, v);
        }
      }
    }
  }

  // Projects as many steps from p on as fit, runs them, and returns the first step not run.
  long chunk(Lane& lane, long p) {
    long rows = 0, end = p;
    while (end < batch.time && (end == p || rows + lane.part.rows(batch.count(end)) <= chunk_rows)) {
      for (long j = 0, n = lane.part.rows(batch.count(end)); j < n; ++j)
        lane.x[rows++] = cast<T>(call.x) + batch.place(end, lane.part.row(j)) * size.features;
      ++end;
    }
    if (lane.columns)
      for (long g = lane.part.units.begin * S::panels_per_group, q = g; q < lane.part.units.end * S::panels_per_group && q < input.count(); ++q)
        multiply_rows(input, q, lane.x, 1, rows, lane.projected + (q - g) * S::vectors * L, lane.columns);
    const T* projected = lane.projected;
    for (; p < end; ++p) {
      const long n = lane.part.rows(batch.count(p));
      step(lane, p, n, projected);
      projected += n * lane.columns;
      if (by_units) meet(team);
    }
    return end;
  }

  void step(Lane& lane, long p, long rows, const T* projected) {
    for (long j = 0; j < rows; ++j) lane.before[j] = (lane.rows[j] = row(p, lane.part.row(j))).before;
    const long tiles = (rows + recurrent.tile() - 1) / recurrent.tile();
    const long block = rows <= few_rows ? few_groups<Cell> : 1, columns = lane.columns;
    alignas(64) T product[max_tile_rows * group_columns];
    static_assert(few_rows * few_groups<Cell> <= max_tile_rows, "a block of groups has room");
    for (long g = lane.part.units.begin; g < lane.part.units.end; g += block) {
      const T* from = projected + (g - lane.part.units.begin) * group_columns;
      const long past = g + block < lane.part.units.end ? g + block : lane.part.units.end;
      for (long i = 0, j = 0; i < tiles; ++i) {
        const long end = rows * (i + 1) / tiles;
        multiply_tile(recurrent, g * S::panels_per_group, past * S::panels_per_group, lane.before + j, int(end - j), product, block * group_columns);
        for (const T* r = product; j < end; ++j, r += block * group_columns)
          for (long k = 0; k < past - g; ++k) units(lane.rows[j], g + k, from + j * columns + k * group_columns, r + k * group_columns);
      }
    }
    for (long j = lane.part.rows(batch.count(p + 1)); j < rows; ++j) finish(lane, p, lane.part.row(j));
  }

  Row row(long p, long b) const {
    Row r{hidden[p & 1] + b * stride, hidden[~p & 1] + b * stride, cast<T>(call.y) + batch.place(p, b) * size.width, nullptr, {}};
    if (call.saved) r.saved = cast<T>(call.saved) + (batch.row(p) + b) * size.saved_row();
    for (int s = 1; s < Cell::states; ++s) r.memory[s] = memory[s] + b * size.row;
    return r;
  }

  // The gate maths of one row and one group of units. Copies, because the compiler must fear that a store changes the originals.
  SAIKI_INLINE void units(const Row row, long g, const T* x, const T* r) const {
    const long width = size.width, part = size.saved_part();
    for (int k = 0; k < S::units_per_group; ++k, x += Cell::gates * L, r += Cell::gates * L) {
      const long u = (g * S::units_per_group + k) * L, left = width - u;
      if (left <= 0) return;
      V in[Cell::gates], back[Cell::gates], state[Cell::states], kept[S::histories + 1];
      for (int i = 0; i < Cell::gates; ++i) in[i] = load(x + i * L), back[i] = load(r + i * L);
      state[0] = load(row.before + u);
      for (int s = 1; s < Cell::states; ++s) state[s] = load(row.memory[s] + u);
      Cell::forward(in, back, state, kept);
      store(row.after + u, state[0]);
      store(row.y + u, state[0], left);
      for (int s = 1; s < Cell::states; ++s) store(row.memory[s] + u, kept[Cell::saved + s - 1] = state[s]);
      if (row.saved)
        for (int i = 0; i < S::histories; ++i) store(row.saved + i * part + u, kept[i]);
    }
  }

  // The last step of row b is done.
  void finish(Lane& lane, long p, long b) {
    const long from = first_unit(lane) * L, to = past_number(lane);
    const long origin = batch.origins[b];
    copy(cast<T>(call.final[0]) + origin * size.width, cast<T>(call.y) + batch.place(p, b) * size.width, from, to);
    for (int s = 1; s < Cell::states; ++s) copy(cast<T>(call.final[s]) + origin * size.width, memory[s] + b * size.row, from, to);
  }
};

template <class Cell> void forward(const Call& call, Team& team) {
  Forward<Cell> pass(call, team);
  on_all_lanes(team, pass);
}

}  // namespace saiki::SAIKI_ISA
