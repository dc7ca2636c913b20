// The one import of the vendored library, so that its version is written once.

export {
  Component,
  html,
  render,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from "./vendor/htm-preact-3.1.1.mjs";
