import { render } from "preact";
import { useRef } from "preact/hooks";

import { Layout } from "./layout";
import { signed, takeLink } from "./session";
import { SignIn, SignInAgain } from "./sign_in";
import { useValue } from "./state";
import { language } from "./strings";
import { showAll } from "./text";
import "./theme";
import { isUnsaved } from "./unsaved";

function App() {
    const now = useValue(signed);
    const drawn = useRef(false);
    // What is not saved outlives the session.
    drawn.current = now.is === "in" || drawn.current && isUnsaved();
    if (now.is === "in")
        return <><Layout /></>;
    return drawn.current ? <><Layout /><SignInAgain now={now} /></>
        : <SignIn now={now} />;
}

document.documentElement.lang = language;
showAll();
takeLink();
addEventListener("hashchange", takeLink);
render(<App />, document.getElementById("app")!);
