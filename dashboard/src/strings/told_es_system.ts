// Why something could not be reached, as the system says it within what the
// node tells, in Spanish.
export const systemEs: [string, string][] = [
    ["connection refused", "conexión rechazada"],
    ["connection reset by peer", "el otro extremo cortó la conexión"],
    ["connection timed out", "se agotó el tiempo de espera"],
    ["host is unreachable", "no se llega a la máquina"],
    ["network is unreachable", "no se llega a la red"],
    ["unknown node or service", "nombre desconocido"],
];
