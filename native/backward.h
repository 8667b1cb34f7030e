// The backward time loop, for any cell: step through a chunk of time with the gate maths fused behind the recurrent
// product, then take the gradients of the input and of the weights from the whole chunk at once.
#pragma once
#include "unroll.h"

namespace saiki::SAIKI_ISA {

template <class Cell> class Backward {
  using T = typename Cell::Scalar;
  using V = Vec<T>;
  static constexpr long L = lanes_of<T>;
  using S = Sizes<Cell>;
  static constexpr long panel_columns = plain_vectors * L;
  static constexpr long least_rows = 256;             // of a chunk: the weight gradient is read and written once per chunk
  static constexpr long chunk_bytes = 512 << 10;

  // Where one row of the batch reads and writes at one step.
  struct Row {
    const T *kept, *y, *dy, *before[max_states];
    T *grads, *direct[max_states];
  };
  struct Lane {
    Part part;
    Row* rows;                 // of a step
    const T** next;            // their gradient rows at the next step
    const T** lines;           // [chunk rows], rows of the matrix being packed
    int64_t* places;           // [chunk rows], where they stand in x
    T* packed;                 // one panel of it
  };
  struct Chunk {
    long first, count;  // packed rows
    T* grads;           // [count, grads_row]
  };

  const Call& call;
  const Batch& batch;
  Team& team;
  const S size;
  const bool by_units;
  Panels<T> recurrent, input;  // weights, not transposed: depth is gates, columns are units or features
  long grads_row, chunk_rows;
  T* grads[2];               // of the present and of the last chunk
  T* direct[max_states];     // gradient of the states that does not pass the recurrent product, [batch, size.row]
  T* bias_sums;              // [grads, size.row]
  T* turned;                 // gradients of the chunk tile by tile, so that a tile lies in few pages; or null
  Lane* lanes;

 public:
  Backward(const Call& c, Team& t)
      : call(c), batch(c.batch), team(t), size(c), by_units(c.by_units) {
    recurrent = panels(size.units);
    input = call.dx ? panels(size.inputs()) : Panels<T>{};
    grads_row = spread<T>(Cell::grads * size.row);
    chunk_rows = chunk_bytes / (grads_row * long(sizeof(T)));
    if (chunk_rows < least_rows) chunk_rows = least_rows;
    if (chunk_rows < batch.counts[0]) chunk_rows = batch.counts[0];
    if (chunk_rows > batch.offsets[batch.time]) chunk_rows = batch.offsets[batch.time];
    for (T*& g : grads) g = take<T>(team, chunk_rows * grads_row);
    for (int s = 0; s < Cell::states; ++s) direct[s] = take<T>(team, batch.rows * size.row);
    bias_sums = take<T>(team, Cell::grads * size.row);
    constexpr long page = 4096;
    turned = grads_row * long(sizeof(T)) < page ? nullptr : take<T>(team, chunk_rows * Cell::grads * size.width);
    lanes = take<Lane>(team, team.lanes);
    for (int i = 0; i < team.lanes; ++i) {
      lanes[i] = {part_of(by_units, recurrent.count(), i, team.lanes), take<Row>(team, batch.rows), take<const T*>(team, batch.rows),
                  take<const T*>(team, chunk_rows), take<int64_t>(team, chunk_rows), take<T>(team, chunk_rows * panel_columns)};
    }
  }

  void operator()(int index) {
    pack_weights(index);
    Lane& lane = lanes[index];
    begin(lane);
    if (call.dx) clear_padding<T>(batch, call.dx, size.features, Share(batch.padded, index, team.lanes));
    meet(team);
    Chunk now{0, 0, nullptr}, last{0, 0, nullptr};
    long done = 0;
    for (long p = batch.time - 1; p >= 0; ++done) {
      last = now;
      long end = p;
      now = next_chunk(end, grads[done & 1]);
      for (; p > end; --p) {
        step(lane, p, row_of(p, now), row_of(p + 1, p + 1 < batch.time && inside(p + 1, now) ? now : last));
        if (by_units) meet(team);
      }
      if (!by_units) meet(team);
      find_places(lane, now, end);
      if (turned) turn(index, now);
      input_gradient(index, now);
      if (turned) meet(team);
      weight_gradients(index, now, done == 0, end);
      sum_biases(index, now, done == 0);
    }
    add_product(lane, 0, lane.part.rows(batch.count(0)), row_of(0, now));
    meet(team);
    write(index);
  }

 private:
  Panels<T> panels(long total) {
    const long depth = Cell::gates * size.row;
    return {take<T>(team, Panels<T>::size(depth, total)), nullptr, depth, total, plain_vectors};
  }

  void pack_weights(int index) {
    auto line = [&](const void* weight, const int* order, long columns) {
      return [=, this](long k) -> const T* {
        const long gate = order[k / size.row], unit = k % size.row;
        return unit < size.width ? cast<T>(weight) + (gate * size.width + unit) * columns : nullptr;
      };
    };
    pack_rows(recurrent, line(call.weight_hh, Cell::recurrent_order, size.width), size.width, Share(recurrent.count(), index, team.lanes));
    if (call.dx) pack_rows(input, line(call.weight_ih, Cell::input_order, size.features), size.features, Share(input.count(), index, team.lanes));
  }

  void begin(Lane& lane) {
    for (int s = 0; s < Cell::states; ++s)
      for (long j = 0; j < lane.part.rows(batch.rows); ++j) {
        const long b = lane.part.row(j);
        for (long u = first_unit(lane) * L; u < past_unit(lane) * L; u += L)
          store(direct[s] + b * size.row + u, call.dfinal[s] ? load(cast<T>(call.dfinal[s]) + batch.origins[b] * size.width + u, size.width - u) : V{});
      }
  }

  long first_unit(const Lane& lane) const { return lane.part.units.begin * plain_vectors; }
  long past_unit(const Lane& lane) const {
    const long end = lane.part.units.end * plain_vectors;
    return end < size.units ? end : size.units;
  }

  // As many steps back from p as fit; leaves p at the first step not taken.
  Chunk next_chunk(long& p, T* buffer) const {
    long rows = 0, low = batch.offsets[batch.time];
    while (p >= 0 && (rows == 0 || rows + batch.count(p) <= chunk_rows)) {
      rows += batch.count(p);
      if (batch.row(p) < low) low = batch.row(p);
      --p;
    }
    return {low, rows, buffer};
  }
  bool inside(long p, const Chunk& c) const { return batch.row(p) >= c.first && batch.row(p) < c.first + c.count; }
  T* row_of(long p, const Chunk& c) const { return p < batch.time ? c.grads + (batch.row(p) - c.first) * grads_row : nullptr; }

  void step(Lane& lane, long p, T* here, const T* next) {
    const long rows = lane.part.rows(batch.count(p)), continued = lane.part.rows(batch.count(p + 1));
    const long both = rows < continued ? rows : continued;
    add_product(lane, rows, continued, next);
    for (long j = 0; j < rows; ++j) {
      const long b = lane.part.row(j);
      lane.rows[j] = row(p, b, here);
      if (j < both) lane.next[j] = next + b * grads_row + Cell::recurrent_begin * size.row;
    }
    alignas(64) T product[max_tile_rows * panel_columns];
    const long tiles = (both + recurrent.tile() - 1) / recurrent.tile();
    const long block = both <= few_rows ? panels_at_once(1) : 1;
    for (long q = lane.part.units.begin; q < lane.part.units.end; q += block) {
      const long past = q + block < lane.part.units.end ? q + block : lane.part.units.end;
      long j = 0;
      for (long i = 0; i < tiles; ++i) {
        const long end = both * (i + 1) / tiles;
        multiply_tile(recurrent, q, past, lane.next + j, int(end - j), product, block * panel_columns);
        for (const T* r = product; j < end; ++j, r += block * panel_columns) units(lane.rows[j], q, past, r);
      }
      if (j < rows) std::memset(product, 0, sizeof product);  // rows whose last step this is
      for (; j < rows; ++j) units(lane.rows[j], q, past, product);
    }
  }

  Row row(long p, long b, T* here) const {
    const long place = batch.place(p, b) * size.width;
    const bool started = b < batch.count(p - 1);
    Row r{cast<T>(call.saved) + (batch.row(p) + b) * size.saved_row(), cast<T>(call.y) + place, call.dy ? cast<T>(call.dy) + place : nullptr, {}, here + b * grads_row, {}};
    r.before[0] = hidden_before<T>(call, p, b);
    for (int s = 0; s < Cell::states; ++s) {
      r.direct[s] = direct[s] + b * size.row;
      if (s == 0) continue;
      r.before[s] = started ? cast<T>(call.saved) + (batch.row(p - 1) + b) * size.saved_row() + (Cell::saved + s - 1) * size.saved_part()
                            : cast<T>(call.initial[s]) + batch.origins[b] * size.width;
    }
    return r;
  }

  // Rows begin .. end - 1 (of the lane) have no earlier step: what flows out of the step at `next` reaches their start.
  void add_product(Lane& lane, long begin, long end, const T* next) {
    if (!call.dinitial[0]) return;
    alignas(64) T product[max_tile_rows * panel_columns];
    const T* rows[max_tile_rows];
    for (long j = begin; j < end;) {
      const long n = end - j < recurrent.tile() ? end - j : recurrent.tile();
      for (long i = 0; i < n; ++i) rows[i] = next + lane.part.row(j + i) * grads_row + Cell::recurrent_begin * size.row;
      for (long q = lane.part.units.begin; q < lane.part.units.end; ++q) {
        multiply_tile(recurrent, q, q + 1, rows, int(n), product, panel_columns);
        for (long i = 0; i < n; ++i) {
          T* to = direct[0] + lane.part.row(j + i) * size.row + q * panel_columns;
          for (long u = 0; u < recurrent.wide(q) * L; u += L) store(to + u, load(to + u) + load(product + i * panel_columns + u));
        }
      }
      j += n;
    }
  }

  // The gate maths of one row and some panels of units. Copies, because the compiler must fear that a store changes the originals.
  SAIKI_INLINE void units(const Row row, long q, long past, const T* product) const {
    const long width = size.width, part = size.saved_part(), padded = size.row;
    const long units = past * panel_columns < padded ? past * panel_columns : padded;
    for (long u = q * panel_columns; u < units; u += L, product += L) {
      const long left = width - u;
      V saved[Cell::saved + 1], state[Cell::states], before[Cell::states], dstate[Cell::states], grad[Cell::grads];
      for (int i = 0; i < Cell::saved; ++i) saved[i] = load(row.kept + i * part + u);
      state[0] = load(row.y + u, left);
      before[0] = load(row.before[0] + u, left);
      dstate[0] = load(product) + load(row.direct[0] + u);
      if (row.dy) dstate[0] += load(row.dy + u, left);
      for (int s = 1; s < Cell::states; ++s) {
        state[s] = load(row.kept + (Cell::saved + s - 1) * part + u);
        before[s] = load(row.before[s] + u, left);
        dstate[s] = load(row.direct[s] + u);
      }
      Cell::backward(saved, state, before, dstate, grad);
      for (int s = 0; s < Cell::states; ++s) store(row.direct[s] + u, dstate[s]);
      for (int i = 0; i < Cell::grads; ++i) store(row.grads + i * padded + u, grad[i]);
    }
  }

  void find_places(Lane& lane, const Chunk& c, long before_chunk) {
    for (long p = before_chunk + 1; p < batch.time && inside(p, c); ++p)
      for (long b = 0; b < batch.count(p); ++b) lane.places[batch.row(p) - c.first + b] = batch.place(p, b);
  }

  // dx = G W_ih; lanes share panels times rows.
  void input_gradient(int index, const Chunk& c) {
    if (!call.dx) return;
    const long tiles = (c.count + input.tile() - 1) / input.tile();
    const Share share(input.count() * tiles, index, team.lanes);
    alignas(64) T product[max_tile_rows * panel_columns];
    for (long w = share.begin; w < share.end; ++w) {
      const long q = w / tiles, i = w % tiles, begin = c.count * i / tiles, end = c.count * (i + 1) / tiles;
      const T* rows[max_tile_rows];
      for (long j = begin; j < end; ++j) rows[j - begin] = c.grads + j * grads_row;
      multiply_for<T>(int(end - begin), input.wide(q))(rows, 1, input.panel(q), input.depth, nullptr, product, panel_columns);
      for (long j = begin; j < end; ++j)
        for (long f = q * panel_columns, v = 0; v < input.wide(q); f += L, ++v)
          store(cast<T>(call.dx) + lanes[index].places[j] * size.features + f, load(product + (j - begin) * panel_columns + v * L), size.features - f);
    }
  }

  // The units of tile i of a gate, as the weight gradients take them.
  static long tiles_of(long width) { return (width + tile_rows<plain_vectors> - 1) / tile_rows<plain_vectors>; }
  Share tile(long i) const { return Share(size.width, int(i), int(tiles_of(size.width))); }

  // A row is read in whole cache lines, some tiles side by side, while the lines of rows to come are on their way.
  void turn(int index, const Chunk& c) {
    constexpr long side_by_side = 16, full = tile_rows<plain_vectors>, ahead = 8;
    const long tiles = tiles_of(size.width), blocks = (tiles + side_by_side - 1) / side_by_side;
    const Share share(Cell::grads * blocks, index, team.lanes);
    for (long w = share.begin; w < share.end; ++w) {
      const long gate = w / blocks, first = w % blocks * side_by_side, n = tiles - first < side_by_side ? tiles - first : side_by_side;
      const long begin = tile(first).begin;
      T* to[side_by_side];
      long wide[side_by_side], columns = 0;
      for (long i = 0; i < n; ++i) {
        const Share units = tile(first + i);
        to[i] = turned + (gate * size.width + units.begin) * c.count;
        columns += wide[i] = units.end - units.begin;
      }
      const T* from = c.grads + gate * size.row + begin;
      for (long k = 0; k < c.count; ++k, from += grads_row) {
        if (k + ahead < c.count) prefetch(from + ahead * grads_row, columns);
        const T* at = from;
        for (long i = 0; i < n; at += wide[i], to[i] += wide[i], ++i)
          if (wide[i] == full) std::memcpy(to[i], at, full * sizeof(T));
          else copy(to[i], at, 0, wide[i]);
      }
    }
  }

  // dW_ih += G^T X and dW_hh += G^T H: columns of G are read in place or turned, rows of X or H packed panel by panel.
  void weight_gradients(int index, const Chunk& c, bool first, long before_chunk) {
    Lane& lane = lanes[index];
    const long tiles = tiles_of(size.width);
    Panels<T> x{lane.packed, nullptr, c.count, size.inputs(), plain_vectors}, h = x;
    h.total = size.units;
    const Share share((x.count() + h.count()) * Cell::gates * tiles, index, team.lanes);
    long ready = -1;
    for (long w = share.begin; w < share.end; ++w) {
      const long q = w / (Cell::gates * tiles), gate = w / tiles % Cell::gates, i = w % tiles;
      const bool of_x = q < x.count();
      const Panels<T>& b = of_x ? x : h;
      const long panel = of_x ? q : q - x.count(), columns = of_x ? size.features : size.width;
      if (ready != q) pack_lines(lane, b, panel, columns, c, of_x, before_chunk);
      ready = q;
      const long grad = gate + (of_x ? 0 : Cell::recurrent_begin);
      const int order = of_x ? Cell::input_order[gate] : Cell::recurrent_order[gate];
      T* to = cast<T>(of_x ? call.dweight_ih : call.dweight_hh) + order * size.width * columns;
      weight_tile(b, panel, c, grad, tile(i), to, columns, first);
    }
  }

  void weight_tile(const Panels<T>& b, long panel, const Chunk& c, long grad, Share units, T* to, long columns, bool first) {
    alignas(64) T product[max_tile_rows * panel_columns];
    const T* rows[max_tile_rows];
    const long begin = units.begin, count = units.end - begin;
    const T* from = turned ? turned + (grad * size.width + begin) * c.count : c.grads + grad * size.row + begin;
    for (long u = 0; u < count; ++u) {
      rows[u] = from + u;
      if (!first) prefetch(to + (begin + u) * columns + panel * panel_columns, b.wide(panel) * L);  // on its way while the product runs
    }
    multiply_for<T>(int(count), b.wide(panel))(rows, turned ? count : grads_row, b.data, b.depth, nullptr, product, panel_columns);
    for (long u = begin; u < units.end; ++u)
      for (long k = panel * panel_columns, v = 0; v < b.wide(panel); k += L, ++v) {
        const V add = load(product + (u - begin) * panel_columns + v * L);
        T* out = to + u * columns + k;
        store(out, first ? add : load(out, columns - k) + add, columns - k);
      }
  }

  void pack_lines(Lane& lane, const Panels<T>& b, long panel, long columns, const Chunk& c, bool of_x, long before_chunk) {
    if (of_x) {
      for (long k = 0; k < c.count; ++k) lane.lines[k] = cast<T>(call.x) + lane.places[k] * columns;
    } else {
      for (long p = before_chunk + 1; p < batch.time && inside(p, c); ++p)
        for (long r = 0; r < batch.count(p); ++r) lane.lines[batch.row(p) - c.first + r] = hidden_before<T>(call, p, r);
    }
    Panels<T> one = b;  // the panel is packed at the beginning of the buffer, whichever it is
    one.data = b.data - panel * b.vectors * L * b.depth;
    pack_rows(one, [&](long k) { return lane.lines[k]; }, columns, Share(panel, panel + 1));
  }

  void sum_biases(int index, const Chunk& c, bool first) {
    if (!call.dbias_ih) return;
    const Share share(Cell::grads * size.units, index, team.lanes);
    for (long v = share.begin; v < share.end;) {
      constexpr int most = 8;
      const int n = int(share.end - v < most ? share.end - v : most);
      V sum[most] = {};
      for (long k = 0; k < c.count; ++k)
        for (int i = 0; i < n; ++i) sum[i] += load(c.grads + k * grads_row + (v + i) * L);
      for (int i = 0; i < n; ++i) {
        T* to = bias_sums + (v + i) * L;
        store(to, first ? sum[i] : load(to) + sum[i]);
      }
      v += n;
    }
  }

  void write(int index) {
    for (int s = 0; s < Cell::states; ++s) {
      const Share rows(batch.rows, index, team.lanes);
      for (long b = rows.begin; b < rows.end; ++b)
        if (call.dinitial[s]) copy(cast<T>(call.dinitial[s]) + batch.origins[b] * size.width, direct[s] + b * size.row, 0, size.width);
    }
    if (index != 0 || !call.dbias_ih) return;
    for (int gate = 0; gate < Cell::gates; ++gate) {
      copy(cast<T>(call.dbias_ih) + Cell::input_order[gate] * size.width, bias_sums + gate * size.row, 0, size.width);
      copy(cast<T>(call.dbias_hh) + Cell::recurrent_order[gate] * size.width, bias_sums + (gate + Cell::recurrent_begin) * size.row, 0, size.width);
    }
  }
};

template <class Cell> void backward(const Call& call, Team& team) {
  Backward<Cell> pass(call, team);
  on_all_lanes(team, pass);
}

}  // namespace saiki::SAIKI_ISA
