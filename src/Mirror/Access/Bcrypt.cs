using System.Buffers;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Mirror.Access;

/// <summary>
/// Passwords as <c>htpasswd -B</c> keeps them. The system's libxcrypt does the work: it is where the system's own logins are checked, and no
/// package that can be trusted as much has bcrypt.
/// </summary>
public static partial class Bcrypt
{
    /// <summary>What <c>htpasswd -B</c> and libxcrypt can make and check in reasonable time.</summary>
    public const int MinCost = 4;

    /// <summary>A check takes half a minute with this one: more is a way to stop the server.</summary>
    public const int MaxCost = 16;

    /// <summary>bcrypt looks at so many bytes of a password, and ignores the rest.</summary>
    public const int MaxPasswordBytes = 72;

    private static readonly SearchValues<char> Digits = SearchValues.Create("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");

    private const int HashLength = 60;
    private const int DataSize = 32768;       // crypt.h: sizeof (struct crypt_data)
    private const int SettingSize = 192;      // crypt.h: CRYPT_GENSALT_OUTPUT_SIZE

    /// <summary>Whether some text is a hash of bcrypt's: <c>$2y$</c>, the cost in two digits, then salt and hash.</summary>
    public static bool IsHash(string text) =>
        text.Length == HashLength
        && (text.StartsWith("$2y$", StringComparison.Ordinal) || text.StartsWith("$2b$", StringComparison.Ordinal) || text.StartsWith("$2a$", StringComparison.Ordinal))
        && text[6] == '$' && CostOf(text) is >= MinCost and <= MaxCost
        && !text.AsSpan(7).ContainsAnyExcept(Digits);

    /// <summary>Each step up doubles the time of a check.</summary>
    /// <returns>-1 where there is none.</returns>
    public static int CostOf(string hash) => char.IsAsciiDigit(hash[4]) && char.IsAsciiDigit(hash[5]) ? ((hash[4] - '0') * 10) + hash[5] - '0' : -1;

    /// <summary>Whether a password has a hash. Takes a good part of a second of CPU time, on purpose.</summary>
    /// <param name="password">One with a NUL in it has no hash.</param>
    /// <param name="hash">As <see cref="IsHash"/> knows it.</param>
    /// <exception cref="PlatformNotSupportedException">The system has no libxcrypt, or one without bcrypt.</exception>
    public static bool Verify(string password, string hash) =>
        !password.Contains('\0')
        && CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(Crypt(password, hash)), Encoding.ASCII.GetBytes(hash));

    /// <summary>Tries it, so that a system that can not check passwords is noticed before somebody logs in.</summary>
    /// <exception cref="PlatformNotSupportedException">The system has no libxcrypt, or one without bcrypt.</exception>
    public static void Try() => Hash("", MinCost);

    /// <summary>Makes a new hash of a password.</summary>
    /// <exception cref="PlatformNotSupportedException">The system has no libxcrypt, or one without bcrypt.</exception>
    public static string Hash(string password, int cost)
    {
        var setting = new byte[SettingSize];
        var random = RandomNumberGenerator.GetBytes(16);
        return Call(() => GenerateSalt("$2y$", (nuint)cost, random, random.Length, setting, setting.Length)) == 0
            ? throw NotSupported(inner: null)
            : Crypt(password, TextIn(setting));
    }

    private static string Crypt(string password, string setting)
    {
        var data = new byte[DataSize];
        var whole = Encoding.UTF8.GetBytes(password);
        // libxcrypt refuses more than 511 bytes, as if it did not know bcrypt.
        var phrase = new byte[Math.Min(whole.Length, MaxPasswordBytes) + 1];
        whole.AsSpan(0, phrase.Length - 1).CopyTo(phrase);
        try
        {
            // The answer is a pointer to the data's first member, and good only as long as the garbage collector leaves the data where it was.
            return Call(() => Crypt(phrase, setting, data, data.Length)) == 0 ? throw NotSupported(inner: null) : TextIn(data);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(whole);
            CryptographicOperations.ZeroMemory(phrase);
            CryptographicOperations.ZeroMemory(data);
        }
    }

    private static nint Call(Func<nint> function)
    {
        try
        {
            return function();
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            throw NotSupported(e);
        }
    }

    private static string TextIn(byte[] bytes) => Encoding.ASCII.GetString(bytes, 0, Array.IndexOf(bytes, (byte)0));

    private static PlatformNotSupportedException NotSupported(Exception? inner) =>
        new("passwords can not be checked: the system's libcrypt.so.1 is missing, or does not know bcrypt", inner);

    [LibraryImport("libcrypt.so.1", EntryPoint = "crypt_rn", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint Crypt(byte[] phrase, string setting, [In, Out] byte[] data, int size);

    [LibraryImport("libcrypt.so.1", EntryPoint = "crypt_gensalt_rn", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint GenerateSalt(string prefix, nuint cost, byte[] random, int randomSize, [In, Out] byte[] output, int outputSize);
}
