// The loop over time of a cell, forward and backward. Lanes share the rows and wait only at the end. States live in the
// tensors of the final states, their gradients in those of the initial ones: a row that has ended keeps what it had.
#pragma once
#include "stepchunk.h"

namespace saiki::SAIKI_ISA {

template <class Cell> class StepLoop {
  using T = typename Cell::Scalar;
  using V = Vec<T>;
  const Steps& call;
  const Batch& batch;
  Team& team;
  const StepSizes<T> sizes;
  Panels<T> panels[max_products];
  StepChunk<T> chunk;
  StepLane<T>* lanes;
  const bool training;  // the backward pass

 public:
  StepLoop(const Steps& c, Team& t, bool back) : call(c), batch(c.batch), team(t), sizes(c, Cell::states, Cell::outputs, Cell::kept(c)), chunk(c, sizes, t, back), training(back) {
    for (int k = 0; k < c.products; ++k) panels[k] = pack_space(c.product[k]);
    lanes = take<StepLane<T>>(team, team.lanes);
    for (int i = 0; i < team.lanes; ++i) lanes[i] = space(i);
  }

  void operator()(int index) {
    for (int k = 0; k < call.products; ++k) pack(k, index);
    chunk.pack(index);
    StepLane<T>& lane = lanes[index];
    for (int s = 0; s < Cell::states && chunk.steps(index); ++s) begin(lane, s);
    meet(team);
    if (!training) {
      for (long p = 0; p < batch.time;) {
        const long end = chunk.project(lane, p, index);
        for (long base = 0; p < end; base += rows_of(lane, p++))
          if (chunk.steps(index)) forward(rows(lane, p, base));
        chunk.wait();
      }
      return;
    }
    std::memset(lane.sums, 0, size_t(2 * sizes.sums) * sizeof(T));
    bool first = true;
    for (long p = batch.time - 1; p >= 0; first = false) {
      const long end = chunk.take_back(lane, p);
      for (long base = 0; p > end; base += rows_of(lane, p--)) {
        if (!chunk.steps(index)) continue;
        backward(rows(lane, p, base));
        add_up(lane, rows_of(lane, p));
      }
      chunk.gradients(lane, first, index);
    }
    add_up(lane, rows_at_once);
    meet(team);
    chunk.write(lanes, index);
    if (index == 0) write();
  }

 private:
  static constexpr long rows_at_once = 128;  // summed before they are added to the rest: sums of few numbers lose fewer digits

  void add_up(StepLane<T>& lane, long more) {
    if ((lane.summed += more) < rows_at_once) return;
    StepRows<T>::sum_rows(lane.sums, lane.step_sums, sizes.sums);
    std::memset(lane.step_sums, 0, size_t(sizes.sums) * sizeof(T));
    lane.summed = 0;
  }

  Panels<T> pack_space(const Product& of) {
    const long depth = training ? of.rows : of.depth, columns = training ? of.depth : of.rows, L = lanes_of<T>, total = (columns + L - 1) / L;
    return {take<T>(team, Panels<T>::size(depth, total)), training ? nullptr : take<T>(team, total * L), depth, total, plain_vectors};
  }

  void pack(int k, int index) {
    const Product& of = call.product[k];
    const Share share(panels[k].count(), index, team.lanes);
    const T* weight = cast<T>(of.weight);
    if (training) pack_rows(panels[k], [&](long i) { return weight + i * of.depth; }, of.depth, share);
    else pack_gates(panels[k], weight, of.gain ? nullptr : cast<T>(of.bias), 1, of.rows, share);
  }

  StepLane<T> space(int index) {
    const long most = chunk.most_rows();
    StepLane<T> lane{};
    const bool even = batch.time && batch.counts[batch.time - 1] == batch.rows;
    const Share block(batch.rows, index, team.lanes);
    if (chunk.together) lane.first = 0, lane.past = batch.rows, lane.stride = 1;
    else if (even) lane.first = block.begin, lane.past = block.end, lane.stride = 1;
    else lane.first = index, lane.past = batch.rows, lane.stride = team.lanes;
    lane.result = take<T>(team, most * sizes.result_row);
    lane.carry = take<T>(team, most * sizes.states);
    lane.lines = take<const T*>(team, most + 1);
    if (!call.saved) lane.saved = take<T>(team, most * sizes.saved_row);
    for (int k = 0; k < call.products; ++k)
      if (!call.product[k].entered) lane.entered[k] = take<T>(team, most * call.product[k].depth);
    if (training) lane.sums = take<T>(team, 2 * sizes.sums), lane.step_sums = lane.sums + sizes.sums;
    T* zeros = take<T>(team, sizes.states);
    std::memset(zeros, 0, size_t(sizes.states) * sizeof(T));
    lane.zeros = zeros;
    chunk.space(lane, index ? lanes : nullptr);
    return lane;
  }

  long rows_of(const StepLane<T>& lane, long p) const { return lane.rows_of(batch.count(p)); }
  StepRows<T> rows(StepLane<T>& lane, long p, long base) { return {call, sizes, lane, panels, p, rows_of(lane, p), base}; }

  void begin(StepLane<T>& lane, int s) {
    for (long b = lane.first; b < lane.past; b += lane.stride) {
      T* to = cast<T>(training ? call.dinitial[s] : call.final[s]) + b * call.size[s];
      const void* from = training ? call.dfinal[s] : call.initial[s];
      if (from) copy(to, cast<T>(from) + b * call.size[s], 0, call.size[s]);
      else std::memset(to, 0, size_t(call.size[s]) * sizeof(T));
    }
  }

  void forward(const StepRows<T>& s) {
    if (call.zones) each_state(s, [&](T* old, int part, long j) { copy(old, s.state(part, j), 0, call.size[part]); });
    s.see();
    Cell::forward(s);
    if (call.zones) hold(s);
    for (int i = 0; i < call.transitions; ++i) transition(s, i);
    if (Cell::direct && !call.changed()) return;
    for (long j = 0; j < s.n; ++j) {
      T* y = s.y(j);
      for (int part = 0; part < Cell::outputs; y += call.size[part++]) copy(y, s.state(part, j), 0, call.size[part]);
    }
  }

  void backward(const StepRows<T>& s) {
    const bool add_dy = call.dy && (!Cell::direct || call.changed());
    for (long j = 0; add_dy && j < s.n; ++j) {
      const T* dy = cast<T>(call.dy) + s.at(j) * sizes.up;
      for (int part = 0; part < Cell::outputs; dy += call.size[part++]) s.sum_rows(s.dstate(part, j), dy, call.size[part]);
    }
    for (int i = call.transitions; i-- > 0;) transition_back(s, i);
    if (call.zones) hold_back(s);
    Cell::backward(s);
    s.see_back();
    if (call.zones) each_state(s, [&](T* carried, int part, long j) { s.sum_rows(s.dstate(part, j), carried, call.size[part]); });
  }

  template <class Body> void each_state(const StepRows<T>& s, Body body) {
    for (long j = 0; j < s.n; ++j) {
      T* at = s.carry(j);
      for (int part = 0; part < Cell::states; at += call.size[part++]) body(at, part, j);
    }
  }
  const T* share(const StepRows<T>& s, int part, long j) { return s.zones(j) + (part ? call.size[0] : 0); }

  // Zoneout: a state between the new one and the old one.
  void hold(const StepRows<T>& s) {
    if constexpr (Cell::holds) return Cell::hold(s);
    each_state(s, [&](T* old, int part, long j) {
      T* now = s.state(part, j);
      const T* z = share(s, part, j);
      each_unit<T>(call.size[part], [&](long u, long left) SAIKI_LAMBDA {
        const V fresh = load(now + u, left);
        store(now + u, fresh + load(z + u, left) * (load(old + u, left) - fresh), left);
      });
    });
  }
  void hold_back(const StepRows<T>& s) {
    if constexpr (Cell::holds) return Cell::hold_back(s);
    each_state(s, [&](T* carried, int part, long j) {
      T* d = s.dstate(part, j);
      const T* z = share(s, part, j);
      each_unit<T>(call.size[part], [&](long u, long left) SAIKI_LAMBDA {
        const V all = load(d + u, left), stays = all * load(z + u, left);
        store(carried + u, stays, left), store(d + u, all - stays, left);
      });
    });
  }

  // Deep transition: h = tanh(W h + b).
  void transition(const StepRows<T>& s, int i) {
    const int k = call.products - call.transitions + i;
    for (long j = 0; j < s.n; ++j) copy(s.entered(k, j), s.state(0, j), 0, call.size[0]);
    s.multiply(k);
    for (long j = 0; j < s.n; ++j) {
      T *h = s.state(0, j), *keep = s.kept(j) + sizes.transition + i * call.size[0];
      const T* r = s.result(j);
      each_unit<T>(call.size[0], [&](long u, long left) SAIKI_LAMBDA {
        const V out = tanh<T>(load(r + u, left));
        store(h + u, out, left), store(keep + u, out, left);
      });
    }
  }
  void transition_back(const StepRows<T>& s, int i) {
    const int k = call.products - call.transitions + i;
    for (long j = 0; j < s.n; ++j) {
      T *dh = s.dstate(0, j), *g = s.gradient(k, j);
      const T* kept = s.kept(j) + sizes.transition + i * call.size[0];
      each_unit<T>(call.size[0], [&](long u, long left) SAIKI_LAMBDA {
        const V out = load(kept + u, left);
        store(g + u, load(dh + u, left) * (T(1) - out * out), left);
      });
    }
    s.back(k, false);
    for (long j = 0; j < s.n; ++j) copy(s.dstate(0, j), s.result(j), 0, call.size[0]);
  }

  void write() {
    auto put = [&](void* to, long at, long count) {
      for (long i = 0; to && i < count; ++i) {
        T sum = 0;
        for (int l = 0; l < team.lanes; ++l) sum += lanes[l].sums[at + i];
        cast<T>(to)[i] = sum;
      }
    };
    for (int k = 0; k < call.products; ++k) {
      put(call.product[k].dbias, sizes.bias_at[k], call.product[k].rows);
      put(call.product[k].dgain, sizes.gain_at[k], call.product[k].rows);
    }
    put(call.input.dbias, sizes.input_bias_at, call.columns), put(call.input.dgain, sizes.input_gain_at, call.columns);
    for (int v = 0; v < max_vectors_of_cell; ++v) put(call.dvector[v], sizes.vector_at[v], call.vector_size[v]);
  }
};

template <class Cell> long saved_row_of(const Steps& call) { return StepSizes<typename Cell::Scalar>(call, Cell::states, Cell::outputs, Cell::kept(call)).saved_row; }
template <class Cell> void steps_forward(const Steps& call, Team& team) {
  StepLoop<Cell> loop(call, team, false);
  on_all_lanes(team, loop);
}
template <class Cell> void steps_backward(const Steps& call, Team& team) {
  StepLoop<Cell> loop(call, team, true);
  on_all_lanes(team, loop);
}

}  // namespace saiki::SAIKI_ISA
