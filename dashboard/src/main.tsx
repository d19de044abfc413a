import { render } from "preact";

import { Layout } from "./layout";
import { signed, takeLink } from "./session";
import { SignIn } from "./sign_in";
import { useValue } from "./state";
import { language } from "./strings";
import "./theme";

function App() {
    const now = useValue(signed);
    return now.is === "in" ? <Layout /> : <SignIn now={now} />;
}

document.documentElement.lang = language;
takeLink();
addEventListener("hashchange", takeLink);
render(<App />, document.getElementById("app")!);
