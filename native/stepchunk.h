// What does not follow time in a cell that runs step by step, a chunk of time at a time, so that it stays in the second-level cache:
// the projection of the input, and the gradients of the input and of all matrices. Where there are fewer rows than lanes, the first
// lane takes the steps of all rows, and all lanes share what is here.
#pragma once
#include "product.h"
#include "steprows.h"

namespace saiki::SAIKI_ISA {

template <class T> class StepChunk {
  static constexpr long L = lanes_of<T>, panel_columns = plain_vectors * L;
  static constexpr long forward_bytes = 256 << 10, backward_bytes = 384 << 10, least_rows = 128;
  const Steps& call;
  const Batch& batch;
  const StepSizes<T>& sizes;
  Team& team;
  const bool training;
  Panels<T> input;
  long chunk_rows;

 public:
  const bool together;

  StepChunk(const Steps& c, const StepSizes<T>& s, Team& t, bool back) : call(c), batch(c.batch), sizes(s), team(t), training(back), together(batch.rows < t.lanes) {
    const long total = StepSizes<T>::vectors(back ? c.input.features : c.columns), depth = back ? c.columns : c.input.features;
    input = {nullptr, nullptr, depth, total, plain_vectors};
    if (!back || c.input.dx) input.data = take<T>(t, Panels<T>::size(depth, total));
    if (!back && !c.input.gain) input.start = take<T>(t, total * L);
    const long most = most_rows(), all = together ? batch.offsets[batch.time] : batch.offsets[batch.time] / t.lanes + batch.time;
    long row = sizes.gates_row;
    for (int k = 0; back && k < c.products; ++k) row += sizes.own_row[k];
    chunk_rows = (back ? backward_bytes : forward_bytes) / (row * long(sizeof(T)));
    if (chunk_rows < least_rows) chunk_rows = least_rows;
    if (chunk_rows > all) chunk_rows = all;
    if (chunk_rows < most) chunk_rows = most;
  }

  long most_rows() const { return together ? batch.rows : (batch.rows + team.lanes - 1) / team.lanes; }
  bool steps(int index) const { return !together || index == 0; }
  void wait() const { if (together) meet(team); }

  void space(StepLane<T>& lane, const StepLane<T>* first) const {
    const bool mine = !together || !first;
    lane.gates = mine ? take<T>(team, chunk_rows * sizes.gates_row) : first->gates;
    lane.places = take<long>(team, chunk_rows);
    lane.chunk_lines = take<const T*>(team, chunk_rows + 1);
    if (!training) return;
    lane.packed = take<T>(team, chunk_rows * panel_columns);
    lane.dinput = mine ? take<T>(team, call.columns * call.input.features) : first->dinput;
    for (int k = 0; k < call.products; ++k) {
      lane.dproduct[k] = mine ? take<T>(team, call.product[k].rows * call.product[k].depth) : first->dproduct[k];
      if (sizes.own_row[k]) lane.own[k] = mine ? take<T>(team, chunk_rows * sizes.own_row[k]) : first->own[k];
    }
  }

  void pack(int index) const {
    if (!input.data) return;
    const Share share(input.count(), index, team.lanes);
    const T* weight = cast<T>(call.input.weight);
    const long features = call.input.features;
    if (training) pack_rows(input, [&](long k) { return weight + k * features; }, features, share);
    else pack_gates(input, weight, cast<T>(call.input.bias), 1, call.columns, share);
  }

  // The gates of as many steps from p on as fit; the first step that does not.
  long project(StepLane<T>& lane, long p, int index) const {
    long rows = 0;
    const long begin = p;
    for (; p < batch.time && (p == begin || rows + lane.rows_of(batch.count(p)) <= chunk_rows); ++p)
      for (long j = 0, n = lane.rows_of(batch.count(p)); j < n; ++j)
        lane.chunk_lines[rows++] = cast<T>(call.input.x) + (batch.row(p) + lane.first + j * lane.stride) * call.input.features;
    const Share panels = part(input.count(), index);
    for (long q = panels.begin; rows && q < panels.end; ++q)
      multiply_rows(input, q, lane.chunk_lines, 1, rows, lane.gates + q * panel_columns, sizes.gates_row);
    wait();
    return p;
  }

  // Numbers the rows of as many steps back from p as fit; the first step that does not.
  long take_back(StepLane<T>& lane, long p) const {
    long& rows = lane.chunk_rows = 0;
    const long begin = p;
    for (; p >= 0 && (p == begin || rows + lane.rows_of(batch.count(p)) <= chunk_rows); --p)
      for (long j = 0, n = lane.rows_of(batch.count(p)); j < n; ++j) lane.places[rows++] = batch.row(p) + lane.first + j * lane.stride;
    return p;
  }

  // Of a whole chunk: dx = G W, and the gradients of the matrices, the sum of g a' over its rows.
  void gradients(StepLane<T>& lane, bool first, int index) const {
    wait();
    const Input& in = call.input;
    const long rows = lane.chunk_rows;
    if (in.dx) input_gradient(lane, rows, part(input.count(), index));
    lines(lane, in.x, in.features, rows);
    if (in.dbias && !in.gain) add_columns(lane.sums + sizes.input_bias_at, lane.gates, sizes.gates_row, part(call.columns, index), rows);
    add_outer(lane.dinput, in.features, lane.gates, sizes.gates_row, part(call.columns, index), lane.chunk_lines, rows, lane.packed, first);
    for (int k = 0; k < call.products; ++k) {
      const Product& of = call.product[k];
      lines(lane, of.entered, of.depth, rows);
      const T* g = sizes.own_row[k] ? lane.own[k] : lane.gates + of.shared;
      const long row = sizes.own_row[k] ? sizes.own_row[k] : sizes.gates_row;
      if (of.dbias && !of.gain) add_columns(lane.sums + sizes.bias_at[k], g, row, part(of.rows, index), rows);
      add_outer(lane.dproduct[k], of.depth, g, row, part(of.rows, index), lane.chunk_lines, rows, lane.packed, first);
    }
    wait();
  }

  // The sums of all lanes, which share the numbers.
  void write(const StepLane<T>* lanes, int index) const {
    sum(call.input.dweight, call.columns * call.input.features, index, [&](int l) { return lanes[l].dinput; });
    for (int k = 0; k < call.products; ++k)
      sum(call.product[k].dweight, call.product[k].rows * call.product[k].depth, index, [&](int l) { return lanes[l].dproduct[k]; });
  }

 private:
  // Added to `to`: the sums of columns of g [rows, row].
  static void add_columns(T* to, const T* g, long row, Share columns, long rows) {
    constexpr long at_once = 8;
    long i = 0;
    for (; i + at_once <= rows; i += at_once, g += at_once * row)
      for (long u = columns.begin; u < columns.end; u += L) {
        const long left = columns.end - u;
        auto of = [&](long k) SAIKI_LAMBDA { return load(g + k * row + u, left); };
        add(to + u, ((of(0) + of(1)) + (of(2) + of(3))) + ((of(4) + of(5)) + (of(6) + of(7))), left);
      }
    for (; i < rows; ++i, g += row)
      for (long u = columns.begin; u < columns.end; ++u) to[u] += g[u];
  }

  Share part(long count, int index) const { return together ? Share(count, index, team.lanes) : Share(0, count); }

  void lines(StepLane<T>& lane, const void* from, long columns, long rows) const {
    for (long i = 0; i < rows; ++i) lane.chunk_lines[i] = cast<T>(from) + lane.places[i] * columns;
  }

  // Added to what a cell may have written there.
  void input_gradient(StepLane<T>& lane, long rows, Share panels) const {
    alignas(64) T product[max_tile_rows * panel_columns];
    const long tiles = (rows + input.tile() - 1) / input.tile(), features = call.input.features;
    for (long i = 0; i < rows; ++i) lane.chunk_lines[i] = lane.gates + i * sizes.gates_row;
    for (long q = panels.begin; q < panels.end; ++q)
      for (long i = 0, r = 0; i < tiles; ++i) {
        const long end = rows * (i + 1) / tiles;
        multiply_for<T>(int(end - r), input.wide(q))(lane.chunk_lines + r, 1, input.panel(q), input.depth, nullptr, product, panel_columns);
        for (const T* from = product; r < end; ++r, from += panel_columns)
          for (long f = q * panel_columns, v = 0; v < input.wide(q); f += L, ++v) {
            T* to = cast<T>(call.input.dx) + lane.places[r] * features + f;
            const Vec<T> more = load(from + v * L);
            store(to, call.highway ? more + load(to, features - f) : more, features - f);
          }
      }
  }

  template <class Of> void sum(void* to, long count, int index, Of of) const {
    const Share share(count, index, team.lanes);
    copy(cast<T>(to), static_cast<const T*>(of(0)), share.begin, share.end);
    for (int l = 1; l < team.lanes && !together; ++l) {
      const T* more = of(l);
      for (long i = share.begin; i < share.end; ++i) cast<T>(to)[i] += more[i];
    }
  }
};

}  // namespace saiki::SAIKI_ISA
