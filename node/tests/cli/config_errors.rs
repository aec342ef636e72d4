//! Every mistake in `cluster.toml` is shown where it is, with what was expected.

use crate::program::Program;

#[track_caller]
fn assert_error(config: &str, expected: &str) {
    let (code, stderr) = Program::with_config(config).failure_of(&["up"]);
    assert_eq!(stderr, expected);
    assert_eq!(code, 3);
}

#[test]
fn a_wrong_engine_name_lists_the_engines() {
    assert_error(
        "[store]\nengine = \"sqlite\"\n",
        "rookery: cluster.toml:2:10: unknown variant `sqlite`, expected one of `lmdb`, `foundationdb`, `memory`
  |
2 | engine = \"sqlite\"
  |          ^^^^^^^^
",
    );
}

#[test]
fn an_unknown_setting_lists_the_known_ones() {
    assert_error(
        "[log]\nlevel = \"info\"\ncolour = true\n",
        "rookery: cluster.toml:3:1: unknown field `colour`, expected `level` or `format`
  |
3 | colour = true
  | ^^^^^^
",
    );
}

#[test]
fn a_bad_address_shows_what_an_address_looks_like() {
    assert_error(
        "# where\n[listen]\nwebsocket = \"localhost\"\n",
        "rookery: cluster.toml:3:13: `localhost` is no address, expected an address and port such as \
         \"127.0.0.1:7400\" or \"[::]:7400\", or \"\" for none
  |
3 | websocket = \"localhost\"
  |             ^^^^^^^^^^^
",
    );
}

#[test]
fn a_number_that_is_none_or_out_of_range_shows_the_range() {
    assert_error(
        "[retention]\ndays = 1.5\n",
        "rookery: cluster.toml:2:8: invalid type: floating point `1.5`, expected a whole number from 0 to 36500
  |
2 | days = 1.5
  |        ^^^
",
    );
    assert_error(
        "[limits]\nconnections_max = 0\n",
        "rookery: cluster.toml:2:19: 0 is out of range, expected a whole number from 1 to 100000000
  |
2 | connections_max = 0
  |                   ^
",
    );
}

#[test]
fn a_value_of_another_type_is_shown() {
    assert_error(
        "[limits]\nhandshake = 10\n",
        "rookery: cluster.toml:2:13: invalid type: integer `10`, expected a duration such as \"500ms\", \"10s\" or \
         \"5m\", above zero and at most a year
  |
2 | handshake = 10
  |             ^^
",
    );
}

#[test]
fn a_number_out_of_range_shows_the_range() {
    assert_error(
        "[limits]\nwindow_events_max = 100000\n",
        "rookery: cluster.toml:2:21: 100000 is out of range, expected a whole number from 1 to 256
  |
2 | window_events_max = 100000
  |                     ^^^^^^
",
    );
}

#[test]
fn a_log_level_that_is_none_is_shown() {
    assert_error(
        "[log]\nlevel = \"loud\"\n",
        "rookery: cluster.toml:2:9: `loud` is no log level, expected error, warn, info, debug, trace, off, or \
         directives such as \"info,rookery_store=debug\"
  |
2 | level = \"loud\"
  |         ^^^^^^
",
    );
}

#[test]
fn a_certificate_without_a_key_and_a_tls_listener_without_either_are_shown() {
    assert_error(
        "[tls]\ncertificate = \"c.pem\"\n",
        "rookery: cluster.toml:2:15: a certificate needs its private key: add `key = \"FILE\"`
  |
2 | certificate = \"c.pem\"
  |               ^^^^^^^
",
    );
    assert_error(
        "[listen]\ntcp_tls = \"0.0.0.0:7443\"\n",
        "rookery: cluster.toml:2:11: a TLS listener needs a certificate: add `certificate` and `key` to [tls]
  |
2 | tcp_tls = \"0.0.0.0:7443\"
  |           ^^^^^^^^^^^^^^
",
    );
}

#[test]
fn a_node_that_no_client_can_reach_is_refused() {
    assert_error(
        "[listen]\nwebsocket = \"\"\ntcp = \"\"\n",
        "rookery: cluster.toml:2:13: every listener for clients is off: give one of `websocket`, `tcp`, `websocket_tls` \
         and `tcp_tls` an address
  |
2 | websocket = \"\"
  |             ^^
",
    );
}

#[test]
fn an_admin_api_in_the_clear_where_others_reach_it_is_refused() {
    assert_error(
        "[admin]\nlisten = \"0.0.0.0:7404\"\n",
        "rookery: cluster.toml:2:10: where others reach it the admin API is encrypted: add `certificate` and `key` to \
         [admin] or to [tls], or listen on 127.0.0.1
  |
2 | listen = \"0.0.0.0:7404\"
  |          ^^^^^^^^^^^^^^
",
    );
}

#[test]
fn an_admin_address_that_nobody_can_dial_is_refused() {
    for listen in ["0.0.0.0:7404", "[::]:7404"] {
        let config =
            format!("[admin]\nlisten = \"{listen}\"\n[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n");
        let (code, stderr) = Program::with_config(&config).failure_of(&["up"]);
        let expected = "rookery: cluster.toml:2:10: nobody can dial this address: add `advertise = \"HOST:PORT\"`, by \
                        which `rookery admin` on other machines reaches this node\n";
        assert!(stderr.starts_with(expected), "{stderr}");
        assert_eq!(code, 3);
        let advertised = config.replace("[tls]", "advertise = \"chat1.example.org:7404\"\n[tls]");
        let (_, stderr) = Program::with_config(&advertised).failure_of(&["up"]);
        assert!(stderr.contains("cannot read the certificate c.pem"), "{stderr}");
    }
}

#[test]
fn a_link_address_that_nobody_can_dial_is_refused() {
    assert_error(
        "[cluster]\nlink = \"0.0.0.0:7403\"\n",
        "rookery: cluster.toml:2:8: nobody can dial this address: add `link_advertise = \"HOST:PORT\"`, by which the \
         other nodes reach this one
  |
2 | link = \"0.0.0.0:7403\"
  |        ^^^^^^^^^^^^^^
",
    );
    assert_error(
        "[cluster]\nlink_advertise = \"10.0.0.5\"\n",
        "rookery: cluster.toml:2:18: `10.0.0.5` is no host and port, expected a host and port by which others reach this \
         node, such as \"10.0.0.5:7403\"
  |
2 | link_advertise = \"10.0.0.5\"
  |                  ^^^^^^^^^^
",
    );
}

#[test]
fn a_part_of_the_files_for_links_is_refused() {
    assert_error(
        "[cluster]\nca = \"ca.pem\"\n",
        "rookery: cluster.toml:2:6: `ca`, `certificate` and `key` of [cluster] go together: give all three, or none of \
         them
  |
2 | ca = \"ca.pem\"
  |      ^^^^^^^^
",
    );
}

#[test]
fn a_name_that_no_node_can_have_is_shown() {
    assert_error(
        "[node]\nid = \"Chat 1\"\n",
        "rookery: cluster.toml:2:6: a node's name has letters a-z, digits, '.', '_' and '-', and begins with a letter or \
         digit
  |
2 | id = \"Chat 1\"
  |      ^^^^^^^^
",
    );
}

#[test]
fn text_that_is_no_toml_is_shown_where_it_ceases_to_be() {
    let (code, stderr) = Program::with_config("[node\nid = 1\n").failure_of(&["up"]);
    assert!(stderr.starts_with("rookery: cluster.toml:1:6: "), "{stderr}");
    assert!(stderr.ends_with("\n  |\n1 | [node\n  |      ^\n"), "{stderr}");
    assert_eq!(code, 3);
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let program = Program::with_config("");
    let (code, stderr) = program.failure_of(&["node", "--config", "prod.toml"]);
    assert_eq!(
        stderr,
        "rookery: cannot read the configuration prod.toml: No such file or directory (os error 2)\n"
    );
    assert_eq!(code, 3);
}
