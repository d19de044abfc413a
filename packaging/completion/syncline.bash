# syncline.bash - completion for bash, asked of the program itself.

_syncline_commands() {
    syncline --help 2>/dev/null | sed -n 's/^  \([a-z]\{1,\}\) .*/\1/p'
}

_syncline_flags() { # command
    syncline help "$1" 2>/dev/null | sed -n 's/^  \(--[a-z._-]*\) .*/\1/p'
}

_syncline_spaces() {
    syncline space --json 2>/dev/null |
        grep -o '"name":"[^"]*"' | sed 's/^"name":"//;s/"$//'
}

_syncline_digits() {
    syncline pending --json 2>/dev/null |
        grep -o '"digits":"[^"]*"' | sed 's/^"digits":"//;s/"$//'
}

_syncline_members() {
    syncline members --json 2>/dev/null |
        grep -o '"name":"[^"]*"' | sed 's/^"name":"//;s/"$//'
}

_syncline_tokens() {
    syncline token --json 2>/dev/null |
        grep -o '"name":"[^"]*"' | sed 's/^"name":"//;s/"$//'
}

_syncline_words() { # command, index of the word among all
    case $1:$2 in
    help:2) _syncline_commands ;;
    approve:2 | deny:2) _syncline_digits ;;
    grant:2 | revoke:2 | remove:2) _syncline_members ;;
    space:2) echo list add rm ;;
    clock:2) echo reset ;;
    key:2) echo passphrase ;;
    configsync:2) echo force ;;
    isync:2) echo sync connect disconnect pause resume key token ;;
    log:2) echo level ;;
    log:3)
        syncline log --json 2>/dev/null |
            grep -o '"name":"[^"]*"' | sed 's/^"name":"//;s/"$//'
        echo error warn info debug default ;;
    log:4) echo error warn info debug default ;;
    token:2) echo list create revoke ;;
    token:3) _syncline_tokens ;;
    put:2 | get:2 | del:2 | patch:2 | ls:2 | watch:2 | import:2 | export:2 | \
        history:2 | restore:2 | conflicts:2 | rescue:2 | policy:2 | verify:2 | \
        space:3)
        _syncline_spaces ;;
    put:3 | get:3 | del:3 | patch:3 | history:3 | restore:3)
        syncline ls "${COMP_WORDS[2]}" --prefix "${COMP_WORDS[3]}" \
            --limit 100 2>/dev/null ;;
    bind:2 | unbind:2 | versions:2 | rollback:2) compgen -f -- "${COMP_WORDS[2]}" ;;
    versions:3 | rollback:3)
        syncline versions "${COMP_WORDS[2]}" 2>/dev/null ;;
    policy:3 | policy:4) echo lww merge manual keep-both custom ;;
    esac
}

_syncline() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]} words

    COMPREPLY=()
    case $before in
    --dir | --files.root)
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
        return ;;
    --config | --file | --passphrase-file | --old-passphrase-file | \
        --passphrase.file | --acks | --resolve.command | --schema)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --profile) words="single ha-addon development" ;;
    --log.level) words="error warn info debug" ;;
    --log.format) words="text json" ;;
    --log.to) words="auto stderr journal" ;;
    --take) words="winner loser" ;;
    --role)
        words="admin member reader relay"
        [ "$command" != up ] || words="any relay" ;;
    --prefer) words="file item merge" ;;
    --format) words="json yaml" ;;
    --scope) words="read write admin" ;;
    --space) words=$(_syncline_spaces) ;;
    *)
        if [ "$COMP_CWORD" = 1 ]; then
            words="$(_syncline_commands) --help --version"
        elif [[ $word == -* ]]; then
            words=$(_syncline_flags "$command")
        else
            words=$(_syncline_words "$command" "$COMP_CWORD")
        fi ;;
    esac
    local IFS=$' \t\n'
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    # The file of an import comes after its space.
    if [ "$command:$COMP_CWORD" = import:3 ]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}

complete -F _syncline syncline
