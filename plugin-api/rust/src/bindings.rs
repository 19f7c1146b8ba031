//! What `wit-bindgen` makes of the contract's imports; authors never see it. Its unsafe code is generated.

wit_bindgen::generate!({
    path: "../wit",
    inline: "
        package pergola:sdk;

        world imports {
            import pergola:plugin/types@0.1.0;
            import pergola:plugin/log@0.1.0;
            import pergola:plugin/clock@0.1.0;
            import pergola:plugin/settings@0.1.0;
            import pergola:plugin/records@0.1.0;
            import pergola:plugin/messages@0.1.0;
            import pergola:plugin/phones@0.1.0;
            import pergola:plugin/timers@0.1.0;
        }
    ",
    generate_all,
});
