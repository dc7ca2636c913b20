// The one import of the vendored library, so that its version is written once.

import {
  Component,
  h,
  html,
  render,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from "./vendor/htm-preact-3.1.1.mjs";

export { html, render, useEffect, useLayoutEffect, useRef, useState };

/** The component, drawn again only when one of its props is another one. */
export function memo(draw) {
  return class extends Component {
    shouldComponentUpdate(next) {
      const keys = Object.keys({ ...next, ...this.props });
      return keys.some((key) => next[key] !== this.props[key]);
    }

    render(props) {
      return h(draw, props);
    }
  };
}
