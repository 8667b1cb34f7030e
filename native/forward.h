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

  struct Lane {
    Part part;
    T* projected;                 // [chunk rows, columns of this lane]
    long columns;                 // numbers in a row of it
    const T **x, **before;        // rows of the chunk; rows of the step
  };

  const Call& call;
  const Batch& batch;
  Team& team;
  const S size;
  const bool by_units;
  Panels<T> input, recurrent;
  T* memory[max_states];  // states after the first, [batch, size.row]; the first is the output itself
  long chunk_rows;
  Lane* lanes;

 public:
  Forward(const Call& c, Team& t)
      : call(c), batch(c.batch), team(t), size(c), by_units(c.by_units) {
    input = panels(size.features);
    recurrent = panels(size.width);
    for (int s = 1; s < Cell::states; ++s) memory[s] = take<T>(team, batch.rows * size.row);
    const long most = (batch.rows + (by_units ? 0 : team.lanes - 1)) / (by_units ? 1 : team.lanes);
    const long groups = by_units ? (size.groups() + team.lanes - 1) / team.lanes : size.groups();
    const long fits = chunk_bytes / (groups * group_columns * long(sizeof(T)));
    chunk_rows = fits > most ? fits : most;
    if (chunk_rows > batch.offsets[batch.time]) chunk_rows = batch.offsets[batch.time];
    lanes = take<Lane>(team, team.lanes);
    for (int i = 0; i < team.lanes; ++i) {
      Lane& lane = lanes[i];
      lane = {part_of(by_units, size.groups(), i, team.lanes), nullptr, 0, nullptr, nullptr};
      lane.columns = (lane.part.units.end - lane.part.units.begin) * group_columns;
      lane.projected = take<T>(team, chunk_rows * lane.columns);
      lane.x = take<const T*>(team, chunk_rows);
      lane.before = take<const T*>(team, most + 1);
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
    for (long b = lane.part.row; b < batch.rows; b += lane.part.stride) {
      const bool empty = b >= (batch.time ? batch.counts[0] : 0);
      for (int s = 0; s < Cell::states; ++s) {
        const T* initial = cast<T>(call.initial[s]) + batch.origins[b] * size.width;
        if (empty) copy(cast<T>(call.final[s]) + batch.origins[b] * size.width, initial, from, to);
        if (s == 0) continue;
        for (long u = first_unit(lane); u < past_unit(lane); ++u)
          store(memory[s] + b * size.row + u * L, load(initial + u * L, size.width - u * L));
      }
    }
  }

  // Projects as many steps from p on as fit, runs them, and returns the first step not run.
  long chunk(Lane& lane, long p) {
    long rows = 0, end = p;
    while (end < batch.time && (end == p || rows + lane.part.rows(batch.count(end)) <= chunk_rows)) {
      for (long b = lane.part.row; b < batch.count(end); b += lane.part.stride)
        lane.x[rows++] = cast<T>(call.x) + batch.place(end, b) * size.features;
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
    for (long j = 0; j < rows; ++j) lane.before[j] = hidden_before<T>(call, p, lane.part.row + j * lane.part.stride);
    const long tiles = (rows + recurrent.tile() - 1) / recurrent.tile();
    alignas(64) T product[max_tile_rows * group_columns];
    for (long g = lane.part.units.begin; g < lane.part.units.end; ++g) {
      const T* from = projected + (g - lane.part.units.begin) * group_columns;
      for (long i = 0, j = 0; i < tiles; ++i) {
        const long end = rows * (i + 1) / tiles;
        for (int q = 0; q < S::panels_per_group; ++q) {
          const long panel = g * S::panels_per_group + q;
          multiply_for<T>(int(end - j), recurrent.wide(panel))(lane.before + j, 1, recurrent.panel(panel), recurrent.depth,
                                                              recurrent.begin(panel), product + q * S::vectors * L, group_columns);
        }
        for (const T* r = product; j < end; ++j, r += group_columns) units(lane, p, j, g, from + j * lane.columns, r);
      }
    }
    for (long j = lane.part.rows(batch.count(p + 1)); j < rows; ++j) finish(lane, p, lane.part.row + j * lane.part.stride);
  }

  // The gate maths of one row and one group of units.
  SAIKI_INLINE void units(Lane& lane, long p, long j, long g, const T* x, const T* r) {
    const long b = lane.part.row + j * lane.part.stride, at = batch.row(p) + b, place = batch.place(p, b);
    for (int k = 0; k < S::units_per_group; ++k, x += Cell::gates * L, r += Cell::gates * L) {
      const long u = (g * S::units_per_group + k) * L, left = size.width - u;
      if (left <= 0) return;
      V in[Cell::gates], back[Cell::gates], state[Cell::states], kept[S::histories + 1];
      for (int i = 0; i < Cell::gates; ++i) in[i] = load(x + i * L), back[i] = load(r + i * L);
      state[0] = load(lane.before[j] + u, left);
      for (int s = 1; s < Cell::states; ++s) state[s] = load(memory[s] + b * size.row + u);
      Cell::forward(in, back, state, kept);
      store(cast<T>(call.y) + place * size.width + u, state[0], left);
      for (int s = 1; s < Cell::states; ++s) store(memory[s] + b * size.row + u, kept[Cell::saved + s - 1] = state[s]);
      if (call.saved)
        for (int i = 0; i < S::histories; ++i) store(cast<T>(call.saved) + at * size.saved_row() + i * size.saved_part() + u, kept[i]);
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
