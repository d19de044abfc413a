// openapi_check.mjs - is what comes on standard input an OpenAPI document? Says
// what is wrong with it, and ends with status 1 if anything is.
import { Validator } from "@seriousme/openapi-schema-validator";

let text = "";
for await (const piece of process.stdin)
    text += piece;
const validator = new Validator();
const told = await validator.validate(JSON.parse(text));
if (!told.valid) {
    console.log(JSON.stringify(told.errors, null, 1));
    process.exit(1);
}
console.log(validator.version);
