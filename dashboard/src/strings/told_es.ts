// What the node tells in sentences of its own, in Spanish: the English as its
// sources have it, {} for what varies, and {1}, {2} where that comes here.
// test/lint/told.py holds this table up to the sources.
export const toldEs: [string, string][] = [
    ["two copies of one folder are up; stop one, remove its identity.pem "
        + "and store, start it and let it join anew",
        "hay en marcha dos copias de una misma carpeta; detenga una, "
            + "borre su identity.pem y su store, iníciela y haga que se una de "
            + "nuevo"],
    ["listens nowhere: it can dial others, but nobody can dial it",
        "no escucha en ningún sitio: puede llamar a otros, pero nadie "
            + "puede llamarlo"],
    ["listens on {}{}", "escucha en {1}{2}"],
    [" and more", " y más"],
    ["listens on this machine only", "escucha solo en esta máquina"],
    ["use --listen 0.0.0.0:4748 to be reached from others",
        "use --listen 0.0.0.0:4748 para que otros lleguen hasta aquí"],
    ["switched off (discovery: false); members are found by addresses",
        "desactivado (discovery: false); los miembros se encuentran por "
            + "sus direcciones"],
    ["beacons are heard on {} interface{} and families",
        "se oyen balizas en {1} interfaces y familias"],
    ["no interface can multicast (a container or add-on without host "
        + "networking?)",
        "ninguna interfaz admite multidifusión (¿un contenedor o "
            + "complemento sin la red del anfitrión?)"],
    ["tell members where others are with --peer A:P",
        "diga a los miembros dónde están los demás con --peer A:P"],
    ["{} belongs to another user, who can read and change all that is in "
        + "it: chown it to the user of this daemon",
        "{1} es de otro usuario, que puede leer y cambiar todo lo que "
            + "contiene: dele la carpeta al usuario de este servicio con chown"],
    ["{} has mode {}: others can look into it; chmod 700 {}",
        "{1} tiene el modo {2}: otros pueden mirar dentro; chmod 700 {3}"],
    ["writing failed (see the log), and nothing more is written until the "
        + "store is opened again",
        "falló una escritura (vea el registro), y no se escribe nada más "
            + "hasta que el almacén se abra de nuevo"],
    ["look at the disk, then restart", "mire el disco y después reinicie"],
    ["the free space cannot be told", "no se puede saber el espacio libre"],
    ["{} MiB free at {}{}", "{1} MiB libres en {2}{3}"],
    [": writes are refused (EFULL), or soon will be",
        ": las escrituras se rechazan (EFULL), o pronto será así"],
    ["make room, a restart is not needed",
        "libere espacio; no hace falta reiniciar"],
    ["this device was removed from the mesh ({} said so): what it writes "
        + "goes to nobody",
        "este dispositivo fue eliminado de la malla (lo dijo {1}): lo "
            + "que escribe no llega a nadie"],
    ["join a mesh with `syncline join CODE --leave`",
        "únase a una malla con `syncline join CODE --leave`"],
    ["this daemon was started as a relay and takes nothing, but no mesh "
        + "has let it in as one",
        "este servicio se inició como relé y no acepta nada, pero "
            + "ninguna malla lo ha admitido como tal"],
    ["`syncline invite --role relay` there, `syncline join CODE` here; or "
        + "there `syncline grant NAME --role relay`",
        "`syncline invite --role relay` allí y `syncline join CODE` "
            + "aquí; o allí `syncline grant NAME --role relay`"],
    ["this device is a member: {}", "este dispositivo es miembro: {1}"],
    ["the audit log is written", "el registro de auditoría se escribe"],
    ["{}/{} is too large to be written here ({} MiB at once)",
        "{1}/{2} es demasiado grande para escribirlo aquí ({3} MiB de "
            + "una vez)"],
    ["make it smaller, or delete it, on a device that has all of it",
        "redúzcalo o bórrelo en un dispositivo que lo tenga entero"],
    ["a device that is no member", "un dispositivo que no es miembro"],
    ["a change of {} at {} is stamped {} s ahead of this clock",
        "un cambio de {1} en {2} lleva una marca {3} s por delante de "
            + "este reloj"],
    ["see that its clock is right; the log of its device tells more",
        "compruebe que su reloj va bien; el registro de su dispositivo "
            + "dice más"],
    ["{} signed two different changes as number {} of one replica in {}; "
        + "that replica counts there no more from that one on, and what it had "
        + "written was written again",
        "{1} firmó dos cambios distintos con el número {2} de una "
            + "réplica en {3}; desde ese número la réplica ya no cuenta allí, "
            + "y lo que había escrito se escribió de nuevo"],
    ["if its folder was copied or its disk put back, that is all; else "
        + "its key is in wrong hands: `syncline remove`",
        "si se copió su carpeta o se restauró su disco, eso es todo; si "
            + "no, su clave está en malas manos: `syncline remove`"],
    ["{} rows that came from relays since the start could not be opened: "
        + "either a key is still on its way, or somebody has given a relay "
        + "what is none",
        "{1} filas que llegaron de relés desde el inicio no se pudieron "
            + "abrir: o una clave está aún en camino, o alguien ha dado a un "
            + "relé algo que no lo es"],
    ["a connection to another member brings what is missing",
        "una conexión con otro miembro trae lo que falta"],
    ["a relay has less than it once had: its disk was lost, or somebody "
        + "put an old one in. It is sent again what it lacks",
        "un relé tiene menos que antes: se perdió su disco o alguien "
            + "puso uno antiguo. Se le envía de nuevo lo que le falta"],
    ["`syncline audit` says which one, and when",
        "`syncline audit` dice cuál y cuándo"],
    ["{}: the relay {} keeps back what {} wrote, for {} s",
        "{1}: el relé {2} retiene lo que escribió {3}, desde hace {4} s"],
    ["{}: what the relay {} has brought differs from what {} has, for {} "
        + "s: the relay keeps something back, or somebody has said two things",
        "{1}: lo que trajo el relé {2} difiere de lo que tiene {3}, "
            + "desde hace {4} s: el relé retiene algo, o alguien ha dicho dos "
            + "cosas"],
    ["let this machine meet another member or use another relay; if that "
        + "brings it, remove this one",
        "conecte esta máquina con otro miembro o use otro relé; si eso "
            + "lo trae, elimine este"],
    ["let both meet and run `syncline verify`",
        "conecte a ambos y ejecute `syncline verify`"],
    ["{} broke the protocol {} times since the start (last: {}){}",
        "{1} infringió el protocolo {2} veces desde el inicio (la "
            + "última: {3}){4}"],
    [" and is refused for now", " y por ahora se rechaza"],
    ["update it, and if it goes on, remove it: `syncline remove`",
        "actualícelo y, si sigue, elimínelo: `syncline remove`"],
    ["{} runs twice", "{1} está en marcha dos veces"],
    ["{} is not connected ({})", "{1} no está conectado ({2})"],
    ["is it running, and does a firewall let TCP 4748 through?",
        "¿está en marcha, y deja pasar el cortafuegos TCP 4748?"],
    ["{} edit{} of deleted items wait{} to be taken back or let go",
        "ediciones de elementos borrados que esperan a ser recuperadas o "
            + "descartadas: {1}"],
    ["syncline rescue", "syncline rescue"],
    ["this device runs twice, and is connected only in turn",
        "este dispositivo está en marcha dos veces y solo se conecta por "
            + "turnos"],
    ["{} has been written to by {} replicas, each of which every member "
        + "keeps for ever",
        "en {1} han escrito {2} réplicas, y cada miembro las guarda "
            + "todas para siempre"],
    ["does a machine crash again and again, or make them up?",
        "¿se cae una máquina una y otra vez, o se las inventa?"],
    ["mend it; it is read again by itself",
        "corríjalo; se lee de nuevo por sí solo"],
    ["the certificate of HTTPS has expired",
        "el certificado de HTTPS ha caducado"],
    ["the certificate of HTTPS expires in {} days",
        "el certificado de HTTPS caduca en {1} días"],
    ["put another one where tls.cert and tls.key say",
        "ponga otro donde dicen tls.cert y tls.key"],
    ["this relay is alone", "este relé está solo"],
    ["this device is alone", "este dispositivo está solo"],
    ["`syncline invite --role relay` on a member and `syncline join CODE` "
        + "here let it in",
        "`syncline invite --role relay` en un miembro y `syncline join "
            + "CODE` aquí lo admiten"],
    ["`syncline invite` here and `syncline join CODE` there make two",
        "con `syncline invite` aquí y `syncline join CODE` allí serán dos"],
    ["{}, with which LAN sync is spoken, is a Syncline of another mesh, "
        + "or has another lansync.space",
        "{1}, con el que se habla LAN sync, es un Syncline de otra malla "
            + "o tiene otro lansync.space"],
    ["pair the two (syncline invite): then they keep all spaces the same, "
        + "encrypted, and need no secret",
        "emparéjelos (syncline invite): así mantienen iguales todos los "
            + "espacios, cifrados, y no necesitan secreto"],
    ["the space {} is not there (lansync.space): nothing is kept the same "
        + "with LAN-sync nodes",
        "el espacio {1} no existe (lansync.space): con los nodos LAN-sync "
            + "no se sincroniza nada"],
    ["make it with `syncline space add`, or have it granted to this machine; "
        + "or name another one",
        "créelo con `syncline space add`, o haga que se lo concedan a esta "
            + "máquina; o indique otro"],
    ["the LAN-sync node {} is not told of {}: a message with it takes {} "
        + "MiB, which is too long",
        "al nodo LAN-sync {1} no se le comunica {2}: un mensaje con ello "
            + "ocupa {3} MiB, que es demasiado"],
    ["make it smaller, or part it: then it is told",
        "redúzcalo o divídalo: entonces se comunica"],
    ["if you know it, name it in lansync.peers: then it is told",
        "si lo conoce, nómbrelo en lansync.peers: entonces se le dice"],
    ["the LAN-sync node {} is near, at {}, and wants to be told the "
        + "secret: nothing is kept the same with it",
        "el nodo LAN-sync {1} está cerca, en {2}, y quiere que se le "
            + "diga el secreto: con él no se sincroniza nada"],
    ["is it up, and the address right (lansync.peers)? it is called again "
        + "and again",
        "¿está en marcha y es correcta la dirección (lansync.peers)? se "
            + "le llama una y otra vez"],
    ["the LAN-sync node at {}:{} is not connected: {}",
        "el nodo LAN-sync en {1}:{2} no está conectado: {3}"],
    ["do both have the same secret (lansync.secret_file)? ours is read at the "
        + "start; it is called again and again",
        "¿tienen ambos el mismo secreto (lansync.secret_file)? el nuestro se "
            + "lee al arrancar; se le llama una y otra vez"],
    ["it is up: is TLS there as it is here (doc/lansync.md)? it is called "
        + "again and again",
        "está en marcha: ¿está allí TLS como aquí (doc/lansync.md)? se le "
            + "llama una y otra vez"],
    ["if that is its own certificate, pin it: lansync.tls_pins",
        "si es su propio certificado, fíjelo: lansync.tls_pins"],
    ["the LAN-sync node at {}:{} is called, and has not answered yet",
        "se llama al nodo LAN-sync en {1}:{2}, y aún no ha respondido"],
    ["look again in half a minute", "vuelva a mirar dentro de medio minuto"],
    ["the LAN-sync node {} ({}) is not served: {}",
        "el nodo LAN-sync {1} ({2}) no es atendido: {3}"],
    ["if it is yours, set it right there, or here",
        "si es suyo, corríjalo allí, o aquí"],
    ["the LAN-sync node {} ({}) is connected, but: {}",
        "el nodo LAN-sync {1} ({2}) está conectado, pero: {3}"],
    ["it keeps what is not kept here, until it says what can be taken",
        "guarda lo que aquí no se guarda, hasta que diga lo que se puede "
            + "tomar"],
    ["look there; it is told anew when it connects again",
        "mire allí; se le vuelve a decir todo cuando se conecte de nuevo"],
    ["{} LAN-sync connections were refused: they came from a network that "
        + "is not admitted",
        "se rechazaron {1} conexiones de LAN-sync: venían de una red que "
            + "no se admite"],
    ["networks that may come belong into lansync.admit",
        "las redes que pueden venir se ponen en lansync.admit"],
    ["the iSync node {} has another token: what it says cannot be read "
        + "here, nor what we say there",
        "el nodo iSync {1} tiene otro token: lo que dice no se puede "
            + "leer aquí, ni allí lo que decimos"],
    ["give it ours (DIR/isync.token), or take its own: syncline isync key "
        + "--take --force",
        "dele el nuestro (DIR/isync.token) o tome el suyo: syncline "
            + "isync key --take --force"],
    ["{} iSync connections were refused: they came from a network that is "
        + "not admitted",
        "se rechazaron {1} conexiones de iSync: venían de una red que no "
            + "se admite"],
    ["networks that may come belong into isync.admit",
        "las redes que pueden venir se ponen en isync.admit"],
    ["the list of iSync nodes at {} cannot be had: {}",
        "no se puede obtener la lista de nodos iSync de {1}: {2}"],
    ["is isync.discovery_url right? it is tried again every five minutes",
        "¿es correcta isync.discovery_url? se intenta de nuevo cada "
            + "cinco minutos"],
    ["the iSync node {} is not connected: {}",
        "el nodo iSync {1} no está conectado: {2}"],
    ["is it up, and the URL right? it is called again and again",
        "¿está en marcha y es correcta la URL? se le llama una y otra vez"],
    ["{} requests of iSync were refused: they came from a page of "
        + "somebody else, or for a name that is not ours",
        "se rechazaron {1} peticiones de iSync: venían de una página "
            + "ajena o para un nombre que no es nuestro"],
    ["names by which nodes call this machine belong into isync.hosts",
        "los nombres con que los nodos llaman a esta máquina se ponen en "
            + "isync.hosts"],
    ["syncline isync key", "syncline isync key"],
    ["see doc/isync.md", "vea doc/isync.md"],
    ["moving changes into state.db fails",
        "falla el traslado de cambios a state.db"],
    ["look at the log and at the disk", "mire el registro y el disco"],
    ["writers wait for a checkpoint",
        "quien escribe espera un punto de control"],
    ["a slow disk, or store.overlay is small",
        "un disco lento, o store.overlay es pequeño"],
    ["{} conflict{} wait{} for somebody to settle",
        "conflictos que esperan a que alguien los resuelva: {1}"],
    ["`syncline conflicts` shows them, `syncline resolve` settles one",
        "`syncline conflicts` los muestra, `syncline resolve` resuelve "
            + "uno"],
    ["is that instance up, and the URL in configsync.peers right? it is "
        + "called again and again",
        "¿está en marcha esa instancia y es correcta la URL de "
            + "configsync.peers? se le llama una y otra vez"],
    ["write the configuration so that both can hold it",
        "escriba la configuración de modo que ambos puedan guardarla"],
    ["a connection was refused", "se rechazó una conexión"],
    ["if it is a device of yours, let it join; else see who is in this "
        + "network",
        "si es un dispositivo suyo, haga que se una; si no, mire quién "
            + "está en esta red"],
    ["a token was presented that is not good",
        "se presentó un token que no vale"],
    ["a program has an old token, or somebody guesses: `syncline token`, "
        + "`syncline audit`",
        "un programa tiene un token antiguo, o alguien adivina: "
            + "`syncline token`, `syncline audit`"],
    ["somebody at the door was not let in",
        "alguien llamó a la puerta y no se le dejó entrar"],
    ["if it was you, make a new code; `syncline audit` says more",
        "si fue usted, cree un código nuevo; `syncline audit` dice más"],
    ["a device signed two changes under one name",
        "un dispositivo firmó dos cambios con un mismo nombre"],
    ["its folder was copied or put back, or its key is in wrong hands",
        "se copió o restauró su carpeta, o su clave está en malas manos"],
    ["a relay has less than it once had", "un relé tiene menos que antes"],
    ["its disk was lost, or an old one put in; it is sent again what it "
        + "lacks",
        "se perdió su disco o se puso uno antiguo; se le envía de nuevo "
            + "lo que le falta"],
    ["the store goes on as another replica",
        "el almacén sigue como otra réplica"],
    ["after a crash or a power failure that is all; nothing that was "
        + "acknowledged is lost",
        "tras una caída o un corte de luz eso es todo; no se pierde nada "
            + "de lo confirmado"],
    ["a request failed", "falló una petición"],
    ["what is on the disk is damaged", "lo que hay en el disco está dañado"],
    ["look at the log; a member that is whole can be joined anew",
        "mire el registro; puede unirse de nuevo a un miembro que esté "
            + "entero"],
    ["there was no room on the disk", "no había espacio en el disco"],
    ["a write was beyond a limit", "una escritura superó un límite"],
    ["write less at once", "escriba menos de una vez"],
    ["a write was refused", "se rechazó una escritura"],
    ["see `syncline members` and `syncline clock`",
        "vea `syncline members` y `syncline clock`"],
    ["write less at once, or raise the option that it names",
        "escriba menos de una vez, o suba la opción que se nombra"],
    ["this machine's clock is {} ahead of most others: set it right here (NTP)",
        "el reloj de esta máquina va {1} por delante de la mayoría: póngalo en "
            + "hora aquí (NTP)"],
    ["this machine's clock is {} behind most others: set it right here (NTP)",
        "el reloj de esta máquina va {1} por detrás de la mayoría: póngalo en "
            + "hora aquí (NTP)"],
    ["the clock of {} is {} ahead of most others: set it right there (NTP)",
        "el reloj de {1} va {2} por delante de la mayoría: póngalo en hora "
            + "allí (NTP)"],
    ["the clock of {} is {} behind most others: set it right there (NTP)",
        "el reloj de {1} va {2} por detrás de la mayoría: póngalo en hora allí "
            + "(NTP)"],
    ["the clocks of this machine and of {} are {} apart (this one is {}), "
        + "and nobody else is here to say which is wrong: look at both",
        "los relojes de esta máquina y de {1} difieren en {2}, y no hay "
            + "nadie más que diga cuál va mal: mire ambos"],
    ["the clocks are up to {} apart and no two agree with most: look at "
        + "all of them",
        "los relojes difieren hasta en {1} y no hay dos que coincidan "
            + "con la mayoría: mírelos todos"],
    ["no other member is connected (or none has answered yet): nobody can "
        + "say whether this clock is right",
        "ningún otro miembro está conectado (o ninguno ha respondido "
            + "aún): nadie puede decir si este reloj va bien"],
    ["this clock agrees with {} connected member{}",
        "este reloj coincide con los miembros conectados ({1})"],
    ["changes are stamped {} ahead of this clock, and one that has not "
        + "seen them loses to them (as a conflict). When all clocks are right: "
        + "`syncline clock reset`",
        "hay cambios con marcas {1} por delante de este reloj, y quien "
            + "no los haya visto pierde ante ellos (como conflicto). Cuando "
            + "todos los relojes vayan bien: `syncline clock reset`"],
    ["others want to come in", "otros quieren entrar"],
    ["a node of the same node_id is connected from {}: each needs its "
        + "own",
        "ya hay conectado desde {1} un nodo con el mismo node_id: cada "
            + "uno necesita el suyo"],
    ["another connection with it is kept", "se mantiene otra conexión con él"],
    ["its address has failed five times to say the secret: nobody is let in "
        + "from there until a minute has gone by",
        "desde su dirección se ha fallado cinco veces al decir el secreto: "
            + "no se admite a nadie de allí hasta que pase un minuto"],
    ["it does not say the secret that we have",
        "no dice el secreto que tenemos"],
    ["it wants to be told the secret, which lansync.say_secret forbids",
        "quiere que se le diga el secreto, lo que lansync.say_secret "
            + "prohíbe"],
    ["it wants to be told the secret, and is only near: name it in "
        + "lansync.peers (lansync.say_secret)",
        "quiere que se le diga el secreto, y solo está cerca: nómbrelo "
            + "en lansync.peers (lansync.say_secret)"],
    ["it does not read", "no lee"],
    ["it does not read, and of what waits for all to be read it has most",
        "no lee, y de lo que espera a que todos lo lean tiene la mayor parte"],
    ["there is a connection with it already", "ya hay una conexión con él"],
    ["what it says is too old for lansync.ttl: is its clock right, and "
        + "ours? ({})",
        "lo que dice es demasiado antiguo para lansync.ttl: ¿están bien "
            + "su reloj y el nuestro? ({1})"],
    ["what it says is not signed with the secret that we have ({})",
        "lo que dice no está firmado con el secreto que tenemos ({1})"],
    ["a message of it cannot be read, and nothing in it is taken ({})",
        "un mensaje suyo no se puede leer, y no se toma nada de él ({1})"],
    ["it begins messages and does not end them: others needed the room",
        "empieza mensajes y no los termina: otros necesitaban el sitio"],
    ["it cannot be called: memory ran out, or it has no name",
        "no se le puede llamar: faltó memoria, o no tiene nombre"],
    ["it did not ask to come in", "no pidió entrar"],
    ["it has not answered by TLS: it may speak none (lansync.tls)",
        "no ha respondido por TLS: quizá no lo hable (lansync.tls)"],
    ["it has not answered in time", "no ha respondido a tiempo"],
    ["we are stopping", "nos estamos deteniendo"],
];
