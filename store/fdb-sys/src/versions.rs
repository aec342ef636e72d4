//! `if_cfg_api_versions!`, by which the `foundationdb` crate picks the code for an API version.
//!
//! The version here is always 730, so the choice is made by matching the bounds that crate writes; a bound
//! that is not listed does not compile, rather than be decided wrongly.

/// Keeps or drops code by API version; with `else`, both branches are blocks and the result is an expression.
#[macro_export]
macro_rules! if_cfg_api_versions {
    (min = 510, max = 600 => $($code:tt)*) => { $crate::if_cfg_api_versions! { @drop $($code)* } };
    (min = 620 => $($code:tt)*) => { $crate::if_cfg_api_versions! { @keep $($code)* } };
    (min = 700 => $($code:tt)*) => { $crate::if_cfg_api_versions! { @keep $($code)* } };
    (min = 710 => $($code:tt)*) => { $crate::if_cfg_api_versions! { @keep $($code)* } };
    (min = 730 => $($code:tt)*) => { $crate::if_cfg_api_versions! { @keep $($code)* } };
    (@keep {$($then:tt)*} else {$($otherwise:tt)*}) => {{ $($then)* }};
    (@keep $($then:tt)*) => { $($then)* };
    (@drop {$($then:tt)*} else {$($otherwise:tt)*}) => {{ $($otherwise)* }};
    (@drop $($then:tt)*) => {};
}

#[cfg(test)]
mod tests {
    crate::if_cfg_api_versions! {min = 510, max = 600 =>
        compile_error!("an item for older versions is dropped");
    }
    crate::if_cfg_api_versions! {min = 710 =>
        const KEPT: bool = true;
    }

    #[test]
    fn code_for_version_730_is_the_code_kept() {
        let old = crate::if_cfg_api_versions!(min = 510, max = 600 => { true } else { false });
        let new = crate::if_cfg_api_versions!(min = 620 => { true } else { false });
        assert_eq!((KEPT, old, new), (true, false, true));
    }
}
