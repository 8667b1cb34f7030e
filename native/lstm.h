// LSTM: c = f c + i g, h = o tanh(c); gates i, f, g, o in torch's order.
#pragma once
#include "math.h"

namespace saiki::SAIKI_ISA {

template <class T> struct Lstm {
  using Scalar = T;
  using V = Vec<T>;
  static constexpr int gates = 4, states = 2, saved = 4, grads = 4;
  static constexpr int input_order[] = {0, 1, 2, 3}, recurrent_order[] = {0, 1, 2, 3}, recurrent_begin = 0;

  static SAIKI_INLINE void forward(const V* x, const V* r, V* state, V* saved) {
    const V i = sigmoid<T>(x[0] + r[0]), f = sigmoid<T>(x[1] + r[1]);
    const V g = tanh<T>(x[2] + r[2]), o = sigmoid<T>(x[3] + r[3]);
    state[1] = f * state[1] + i * g;
    state[0] = o * tanh<T>(state[1]);
    saved[0] = i, saved[1] = f, saved[2] = g, saved[3] = o;
  }

  static SAIKI_INLINE void backward(const V* saved, const V* state, const V* before, V* dstate, V* grad) {
    const V i = saved[0], f = saved[1], g = saved[2], o = saved[3];
    const V t = tanh<T>(state[1]);  // cheaper to compute than to save
    const V dc = dstate[1] + dstate[0] * o * (T(1) - t * t);
    grad[0] = dc * g * i * (T(1) - i);
    grad[1] = dc * before[1] * f * (T(1) - f);
    grad[2] = dc * i * (T(1) - g * g);
    grad[3] = dstate[0] * t * o * (T(1) - o);
    dstate[0] = V{};
    dstate[1] = dc * f;
  }
};

}  // namespace saiki::SAIKI_ISA
