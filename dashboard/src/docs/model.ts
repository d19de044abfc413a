// What the OpenAPI document says, as its pages want it.
export interface Schema {
    $ref?: string;
    type?: string;
    description?: string;
    minimum?: number;
    enum?: string[];
    const?: string;
    oneOf?: Schema[];
    allOf?: Schema[];
    anyOf?: Schema[];
    items?: Schema;
    properties?: Record<string, Schema>;
    required?: string[];
}

export interface Parameter {
    in: "path" | "query";
    name: string;
    required?: boolean;
    description?: string;
    schema?: Schema;
}

interface Media { schema?: Schema }

export interface Operation {
    method: string;
    path: string;
    operationId: string;
    tags: string[];
    summary: string;
    parameters: Parameter[];
    requestBody?: { required?: boolean; content: Record<string, Media> };
    responses: Record<string, { content?: Record<string, Media> }>;
    security?: unknown[];
    "x-scope"?: string;
}

interface Document {
    info: { title: string; version: string };
    components: { schemas: Record<string, Schema> };
    paths: Record<string, Record<string, Omit<Operation, "method" | "path">>>;
}

export interface Api {
    title: string;
    version: string;
    schemas: Record<string, Schema>;
    groups: [string, Operation[]][];
}

export async function load(): Promise<Api> {
    const answer = await fetch("/openapi.json");
    const doc = await answer.json() as Document;
    const groups = new Map<string, Operation[]>();
    for (const [path, methods] of Object.entries(doc.paths))
        for (const [method, said] of Object.entries(methods)) {
            const tag = said.tags[0] ?? "other";
            groups.set(tag, [...groups.get(tag) ?? [],
                { ...said, method: method.toUpperCase(), path }]);
        }
    return { title: doc.info.title, version: doc.info.version,
        schemas: doc.components.schemas, groups: [...groups] };
}

// "integer, from 0", "integer or all", "array of Version"
export function typeOf(schema: Schema | undefined): string {
    if (schema === undefined)
        return "any";
    if (schema.$ref !== undefined)
        return nameOf(schema.$ref);
    if (schema.anyOf)
        return schema.anyOf.map(typeOf).reverse().join(" or ");
    if (schema.type === "array" && schema.items)
        return `array of ${typeOf(schema.items)}`;
    if (schema.allOf)
        return schema.allOf.map(typeOf).join(", ");
    if (schema.oneOf)
        return schema.oneOf.map(typeOf).join(" or ");
    if (schema.const !== undefined)
        return `"${schema.const}"`;
    if (schema.enum)
        return schema.enum.map(x => `"${x}"`).join(" | ");
    return schema.type ?? "any";
}

function nameOf(ref: string): string {
    return ref.slice(ref.lastIndexOf("/") + 1);
}

// Where a schema is another one's by name, that one; of a list that of its
// entries, of what may be null what it is else.
function inner(api: Api, schema: Schema | undefined): [Schema | undefined, string] {
    const other = schema?.anyOf?.find(s => s.type !== "null");
    if (other)
        return inner(api, other);
    if (schema?.items) {
        const [found, at] = inner(api, schema.items);
        return [found, `[]${at}`];
    }
    return [schema?.$ref === undefined ? schema : api.schemas[nameOf(schema.$ref)], ""];
}

// The members of what an operation answers: name, type, what else there is to
// say; those of members, too, unless they hold themselves.
export function answerMembers(api: Api, op: Operation): [string, string, string][] {
    const rows: [string, string, string][] = [];
    const walk = (of: Schema | undefined, at: string, above: Schema[]): void => {
        const [found, list] = inner(api, of);
        if (found?.properties === undefined || above.includes(found))
            return;
        for (const [name, schema] of Object.entries(found.properties)) {
            const here = at + list + (at === "" ? "" : ".") + name;
            rows.push([here, typeOf(schema),
                found.required?.includes(name) ? "" : "may be missing"]);
            walk(schema, here, [...above, found]);
        }
    };
    walk(answerOf(op)?.schema, "", []);
    return rows;
}

function plain(schema: Schema | undefined): Schema {
    return schema?.allOf?.[0] ?? schema?.oneOf?.[0] ?? schema ?? {};
}

// A value such as the schema has, to begin with.
export function exampleOf(schema: Schema | undefined): unknown {
    const s = plain(schema);
    if (s.enum)
        return s.enum[0];
    switch (s.type) {
    case "string": return "";
    case "integer": return s.minimum ?? 0;
    case "boolean": return true;
    case "array": return s.items ? [exampleOf(s.items)] : [];
    case "object":
        return Object.fromEntries(Object.entries(s.properties ?? {})
            .map(([name, of]) => [name, exampleOf(of)]));
    default: return {};
    }
}

export function bodyTypes(op: Operation): string[] {
    return Object.keys(op.requestBody?.content ?? {});
}

export function members(op: Operation): [string, Schema][] {
    const media = op.requestBody?.content[bodyTypes(op)[0] ?? ""];
    return Object.entries(media?.schema?.properties ?? {});
}

function answers(op: Operation): [string, Media][] {
    const good = Object.entries(op.responses).find(([code]) => code !== "default");
    return Object.entries(good?.[1].content ?? {});
}

function answerOf(op: Operation): Media | undefined {
    return answers(op)[0]?.[1];
}

export function answerType(op: Operation): string {
    return answers(op)[0]?.[0] ?? "";
}

export function scopeOf(op: Operation): string {
    return op["x-scope"] ?? "no token";
}

// For a shell: what stands in ' is taken as it is.
function quoted(text: string): string {
    return `'${text.replace(/'/g, "'\\''")}'`;
}

export function curlOf(op: Operation, at: string, body?: string, type?: string): string {
    const lines = [`curl ${op.method === "GET" ? "" : `-X ${op.method} `}${quoted(at)}`];
    if (op["x-scope"] !== undefined)
        lines.push("-H \"Authorization: Bearer $token\"");
    if (type !== undefined)
        lines.push(`-H ${quoted(`Content-Type: ${type}`)}`);
    if (body !== undefined)
        lines.push(`-d ${quoted(body)}`);
    return lines.join(" \\\n  ");
}
