import { operations } from "../plain.js";
import { connect } from "./setup.js";

export const open = (url) => operations(connect(url));
