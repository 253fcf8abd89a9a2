// A channel's form: quiet hours are added and taken away.
import { startRows } from "outrider/alerts/rows";

startRows(document.getElementById("channel"));
