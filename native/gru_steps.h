// GRU, step by step: any option around the gate maths of gru.h; or the reset gate before the product, n = tanh(x + W (r h) + b).
#pragma once
#include "gru.h"
#include "steprows.h"

namespace saiki::SAIKI_ISA {

template <class T> struct GruSteps {
  using Scalar = T;
  using V = Vec<T>;
  static constexpr int states = 1, outputs = 1, vectors = 0;
  static constexpr bool holds = false, direct = false, sees = false;
  static long kept(const Steps& c) { return 5 * c.width; }  // h before, r, z, n, and W h of n

  static void forward(const StepRows<T>& s) { s.call.before ? forward_before(s) : forward_after(s); }
  static void backward(const StepRows<T>& s) { s.call.before ? backward_before(s) : backward_after(s); }

  static void forward_after(const StepRows<T>& s) {
    const long w = s.call.width;
    s.recur(0, 0);
    for (long j = 0; j < s.n; ++j) {
      const T *x = s.x(j), *r = s.result(j);
      T *h = s.state(0, j), *kept = s.kept(j);
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        V in[3], back[3], saved[4], state[1] = {load(h + u, left)};
        for (int i = 0; i < 3; ++i) in[i] = load(x + i * w + u, left), back[i] = load(r + i * w + u, left);
        store(kept + u, state[0], left);
        Gru<T>::forward(in, back, state, saved);
        for (int i = 0; i < 4; ++i) store(kept + (i + 1) * w + u, saved[i], left);
        store(h + u, state[0], left);
      });
    }
  }

  static void backward_after(const StepRows<T>& s) {
    const long w = s.call.width;
    for (long j = 0; j < s.n; ++j) {
      const T* kept = s.kept(j);
      T *dh = s.dstate(0, j), *dx = s.dx(j), *dr = s.gradient(0, j);
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        V saved[4], grad[4], dstate[1] = {load(dh + u, left)};
        const V before[1] = {load(kept + u, left)};
        for (int i = 0; i < 4; ++i) saved[i] = load(kept + (i + 1) * w + u, left);
        Gru<T>::backward(saved, before, before, dstate, grad);  // n, r, z, n behind the reset gate
        store(dh + u, dstate[0], left);
        for (int i = 0; i < 3; ++i) {
          store(dx + i * w + u, grad[(i + 1) % 3], left);
          store(dr + i * w + u, grad[i + 1], left);
        }
      });
    }
    s.recur_back(0, 0);
  }

  // Product 0 is of r and z, product 1 of n, into which r h is entered (masked as h is).
  static void forward_before(const StepRows<T>& s) {
    const long w = s.call.width;
    s.recur(0, 0);
    for (long j = 0; j < s.n; ++j) {
      const T *x = s.x(j), *r = s.result(j), *mask = s.mask(j, w);
      T *h = s.state(0, j), *kept = s.kept(j), *to = s.entered(1, j);
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        const V before = load(h + u, left), reset = sigmoid<T>(load(x + u, left) + load(r + u, left));
        store(kept + u, before, left), store(kept + w + u, reset, left);
        store(kept + 2 * w + u, sigmoid<T>(load(x + w + u, left) + load(r + w + u, left)), left);
        store(to + u, mask ? reset * before * load(mask + u, left) : reset * before, left);
      });
    }
    s.multiply(1);
    for (long j = 0; j < s.n; ++j) {
      const T *x = s.x(j) + 2 * w, *r = s.result(j);
      T *h = s.state(0, j), *kept = s.kept(j);
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        const V fresh = tanh<T>(load(x + u, left) + load(r + u, left)), keep = load(kept + 2 * w + u, left);
        store(kept + 3 * w + u, fresh, left);
        store(h + u, fresh + keep * (load(h + u, left) - fresh), left);
      });
    }
  }

  static void backward_before(const StepRows<T>& s) {
    const long w = s.call.width;
    for (long j = 0; j < s.n; ++j) {
      const T* kept = s.kept(j);
      T *dh = s.dstate(0, j), *drz = s.gradient(0, j), *dn = s.gradient(1, j), *dx = s.dx(j);
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        const V before = load(kept + u, left), keep = load(kept + 2 * w + u, left), fresh = load(kept + 3 * w + u, left), d = load(dh + u, left);
        const V to_n = d * (T(1) - keep) * (T(1) - fresh * fresh), to_z = d * (before - fresh) * keep * (T(1) - keep);
        store(dn + u, to_n, left), store(dx + 2 * w + u, to_n, left);
        store(drz + w + u, to_z, left), store(dx + w + u, to_z, left);
        store(dh + u, d * keep, left);
      });
    }
    s.back(1, true);
    for (long j = 0; j < s.n; ++j) {
      const T *kept = s.kept(j), *r = s.result(j);
      T *dh = s.dstate(0, j), *drz = s.gradient(0, j), *dx = s.dx(j);
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        const V before = load(kept + u, left), reset = load(kept + w + u, left), d = load(r + u, left);
        const V to_r = d * before * reset * (T(1) - reset);
        store(drz + u, to_r, left), store(dx + u, to_r, left);
        add(dh + u, d * reset, left);
      });
    }
    s.recur_back(0, 0);
  }
};

}  // namespace saiki::SAIKI_ISA
