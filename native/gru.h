// GRU, torch's variant (the reset gate acts after the product): n = tanh(x + r (W h + b)), h' = (1 - z) n + z h.
#pragma once
#include "math.h"

namespace saiki::SAIKI_ISA {

template <class T> struct Gru {
  using Scalar = T;
  using V = Vec<T>;
  static constexpr int gates = 3, states = 1, saved = 4, grads = 4;
  // Gradients lie as n, r, z, n again but behind the reset gate: the input's weights see the first three, the recurrent
  // ones the last three, and neither product needs a copy.
  static constexpr int input_order[] = {2, 0, 1}, recurrent_order[] = {0, 1, 2}, recurrent_begin = 1;

  static SAIKI_INLINE void forward(const V* x, const V* r, V* state, V* saved) {
    const V reset = sigmoid<T>(x[0] + r[0]), keep = sigmoid<T>(x[1] + r[1]);
    const V fresh = tanh<T>(x[2] + reset * r[2]);
    state[0] = fresh + keep * (state[0] - fresh);
    saved[0] = reset, saved[1] = keep, saved[2] = fresh, saved[3] = r[2];
  }

  static SAIKI_INLINE void backward(const V* saved, const V*, const V* before, V* dstate, V* grad) {
    const V reset = saved[0], keep = saved[1], fresh = saved[2], recurrent = saved[3];
    const V dh = dstate[0];
    grad[0] = dh * (T(1) - keep) * (T(1) - fresh * fresh);
    grad[1] = grad[0] * recurrent * reset * (T(1) - reset);
    grad[2] = dh * (before[0] - fresh) * keep * (T(1) - keep);
    grad[3] = grad[0] * reset;
    dstate[0] = dh * keep;
  }
};

}  // namespace saiki::SAIKI_ISA
